package main

// promobot doctor: reads the machine, the App and a repository, has
// promotion/doctor judge them, and says what is wrong and how to mend it. It
// writes nothing, on GitHub or here.

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/doctor"
	"github.com/promobot/promobot/promotion/github"
)

const doctorHelp = `Looks whether promobot can do its work, and says of everything that it cannot how
and where to mend it:

  machine      configuration, git, disk, and whether the running promobot keeps up
  app          key, clock, permissions, events, webhook and its newest deliveries,
               installations, requests left this hour
  OWNER/REPO   installation, pipeline file, whether promobot can merge by itself
               (rules on the base branches and on promobot/**, reviews, signatures,
               merge methods, workflow files), rules that it could bypass, and
               workflows that would run on its branches

It writes nothing.

Exit codes: 0 nothing is wrong (but something may be doubtful, ⚠), 1 something is
wrong (✗), 2 the command was not understood, 3 GitHub could not be asked.`

func newDoctorCommand() *cobra.Command {
	var path string
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor [OWNER/REPO] [--config FILE]",
		Short: "See whether promobot can do its work, and how to mend what it cannot",
		Long:  doctorHelp,
		Example: `  promobot doctor --config config.yml
  promobot doctor acme/gitops --config config.yml
  promobot doctor acme/gitops --config config.yml --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			repository := ""
			if len(args) > 0 {
				if repository = args[0]; !repositoryArgument.MatchString(repository) {
					return usage("%q is no repository; write OWNER/REPO, such as acme/gitops", repository)
				}
			}
			ctx, cancel := context.WithTimeout(c.Context(), doctorTimeout)
			defer cancel()
			findings, err := examine(ctx, path, repository, os.Environ())
			if shown := showFindings(findings, asJSON, newPrinter(c.OutOrStdout())); shown != nil {
				return shown
			}
			if err != nil {
				return unreadable("GitHub could not be asked: %w", err)
			}
			if doctor.Sick(findings) {
				return silent()
			}
			return nil
		},
	}
	c.Flags().StringVarP(&path, "config", "c", "", "the configuration `file`; without it, all settings come from the environment")
	c.Flags().BoolVar(&asJSON, "json", false, "write the findings as JSON")
	return c
}

// doctorTimeout bounds all that the doctor does.
const doctorTimeout = 2 * time.Minute

var repositoryArgument = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)

// examine gives what was found, also beside an error.
func examine(ctx context.Context, path, repository string, environ []string) ([]doctor.Finding, error) {
	config, warnings, err := loadConfig(path, environ)
	if err != nil {
		return configFindings(path, err), nil
	}
	findings := doctor.JudgeMachine(examineMachine(ctx, config, path))
	for _, w := range warnings {
		findings = append(findings, doctor.Finding{Subject: "machine", About: "configuration", Grade: doctor.Doubtful, Says: w, Mend: "remove the variable, or mend its name"})
	}
	app, err := github.New(github.Options{
		AppID: config.GitHub.AppID, PrivateKey: []byte(config.GitHub.PrivateKey.Reveal()), BaseURL: config.GitHub.APIURL,
		Transport: transport(), UserAgent: userAgent(), Log: zerolog.Nop(),
	})
	if err != nil {
		return findings, fmt.Errorf("github: %w", err)
	}
	seen, err := app.Examine(ctx, config.GitHub.webURL())
	if err != nil {
		return findings, err
	}
	seen.Public = config.Server.PublicURL
	if repository == "" || seen.Bad != "" {
		return append(findings, doctor.JudgeApp(seen)...), nil
	}
	repo, err := app.ExamineRepository(ctx, config.GitHub.webURL(), repository)
	// What the repository asks for has to be granted to the App first.
	findings = append(findings, doctor.JudgeApp(seen, repo.Uses()...)...)
	if refused, ok := errors.AsType[*promotion.RefusedError](err); ok {
		repo.Unread, err = refused.Reason, nil
	}
	if err != nil {
		return findings, err
	}
	return append(findings, doctor.JudgeRepository(repo)...), nil
}

// configFindings are the problems of a configuration, each with its place.
func configFindings(path string, err error) []doctor.Finding {
	var out []doctor.Finding
	for line := range strings.SplitSeq(err.Error(), "\n") {
		at, says, ok := strings.Cut(line, ": ")
		if !ok {
			at, says = path, line
		}
		says, mend, _ := strings.Cut(says, "; ")
		out = append(out, doctor.Finding{Subject: "machine", About: "configuration", Grade: doctor.Wrong, Says: says, Mend: cmp.Or(mend, "mend it there"), At: at})
	}
	return out
}

func examineMachine(ctx context.Context, c Config, path string) doctor.Machine {
	m := doctor.Machine{Config: path, DataDir: c.DataDir, Keeps: int64(c.Git.MaxDisk), Free: -1, Address: localAddress(c.Server.Address)}
	if err := gitCheck(c.Git.Path)(ctx); err != nil {
		m.GitBad = strings.TrimPrefix(err.Error(), "git.path: ")
	} else if out, err := exec.CommandContext(ctx, c.Git.Path, "--version").Output(); err == nil {
		m.Git = strings.TrimSpace(strings.TrimPrefix(string(out), "git version "))
	}
	m.Free, m.DataBad = examineFolder(c.DataDir)
	m.Running = askRunning(ctx, m.Address)
	return m
}

// examineFolder looks at the data folder, or, while there is none, at the one in
// which it will be made.
func examineFolder(dir string) (free int64, bad string) {
	for at := dir; ; at = parentOf(at) {
		info, err := os.Stat(at)
		switch {
		case errors.Is(err, os.ErrNotExist) && parentOf(at) != at:
			continue
		case err != nil:
			return -1, err.Error()
		case !info.IsDir():
			return -1, at + " is no folder"
		case !mayWrite(at):
			return -1, at + " may not be written to"
		}
		return freeBytes(at), ""
	}
}

// localAddress is where this machine reaches an address that is listened on.
func localAddress(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// askRunning asks the running promobot how it is; nil when none answers.
func askRunning(ctx context.Context, address string) *doctor.Running {
	ready, status, err := fetchSmall(ctx, "http://"+address+"/readyz")
	if err != nil || status != http.StatusOK && status != http.StatusServiceUnavailable {
		return nil
	}
	out := &doctor.Running{Ready: status == http.StatusOK}
	for line := range strings.SplitSeq(ready, "\n") {
		if name, is := strings.CutSuffix(line, ": not ready"); is {
			out.Says = strings.TrimPrefix(out.Says+", "+name, ", ")
		}
	}
	metrics, status, err := fetchSmall(ctx, "http://"+address+"/metrics")
	if err != nil || status != http.StatusOK {
		return out
	}
	lines := bufio.NewScanner(strings.NewReader(metrics))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseFloat(value, 64)
		switch {
		case err != nil:
		case name == "promobot_queue_oldest_due_seconds":
			out.Oldest = time.Duration(n * float64(time.Second))
		case name == `promobot_queue_keys{state="failing"}`:
			out.Failing = int(n)
		}
	}
	return out
}

// fetchSmall reads a short answer of a server on this machine.
func fetchSmall(ctx context.Context, address string) (string, int, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return string(text), resp.StatusCode, err
}

// examined is what --json writes.
type examined struct {
	Well     bool             `json:"well"`
	Findings []doctor.Finding `json:"findings"`
}

func showFindings(all []doctor.Finding, asJSON bool, out printer) error {
	if asJSON {
		return writeJSON(out.to, examined{Well: !doctor.Sick(all), Findings: append([]doctor.Finding{}, all...)})
	}
	colours := map[doctor.Grade]string{doctor.Well: green, doctor.Doubtful: yellow, doctor.Wrong: red}
	grades := map[doctor.Grade]int{}
	subject := ""
	for _, f := range all {
		if f.Subject != subject {
			if subject != "" {
				out.line("")
			}
			subject = f.Subject
			out.line("%s", out.paint(bold, printable(subject)))
		}
		grades[f.Grade]++
		out.line("%s %s: %s", out.paint(colours[f.Grade], f.Grade.Mark()), f.About, printable(f.Says))
		switch {
		case f.Mend != "" && f.At != "":
			out.line("    mend: %s (%s)", printable(f.Mend), printable(f.At))
		case f.Mend != "":
			out.line("    mend: %s", printable(f.Mend))
		}
	}
	if len(all) > 0 {
		out.line("\n%d wrong, %d doubtful, %d well", grades[doctor.Wrong], grades[doctor.Doubtful], grades[doctor.Well])
	}
	return nil
}
