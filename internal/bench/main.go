// Command bench measures promobot against a simulated GitHub with stated
// latencies, and beside it the script that teams write first: clone, edit,
// commit, push, open a pull request.
//
// Rules:
//
//   - What is measured is the real program, built from this module and run as
//     processes of its own; it and the script speak real HTTP and real git to
//     one simulator, and both are measured in one run, so ratios mean something
//     on any machine.
//   - Nothing is asked of promobot about itself that can be seen from outside:
//     requests, bytes and times are those of the HTTP traffic, what is recorded
//     is read from the ledgers in the simulator's repository, memory from /proc.
//     The one exception is the base window, which is shown both ways.
//   - A figure that has a target says whether it is met. Nothing is left out
//     because it looks bad; what a build cannot do yet is said.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are what the command line says.
type options struct {
	only     []int
	quick    bool
	check    bool
	json     string
	docs     string
	api, git time.Duration // added to each request
	jobs     int           // scripts at a time
	replicas int           // of bench 3
	duration time.Duration // of bench 6
	rounds   int           // of bench 4
	promobot string        // binary; built when empty
	dir      string        // where everything is made; a temporary folder when empty
	trace    bool
	progress io.Writer
}

// benches are all there are, by number.
var benches = []struct {
	number int
	title  string
	run    func(context.Context, *bench) error
}{
	{1, "Requests per promotion", requestsPerPromotion},
	{2, "A storm: pipelines woken by one push", storm},
	{3, "Pushing directly to one branch", direct},
	{4, "The base window: from reading the base to the push", baseWindow},
	{5, "Cost against the repository's size", size},
	{6, "GitHub's limit on creating content", contentLimit},
	{7, "The first page, of 5 and of 500 services", pages},
}

// bench is one run of the program.
type bench struct {
	options
	report report
	binary string
	number int // of the bench that runs
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&only, "only", "", "the benches to run, as `2,3`; all without it")
	flags.BoolVar(&o.quick, "quick", false, "run everything with small numbers: a smoke test, no measurement")
	flags.BoolVar(&o.check, "check", false, "fail when a target is not met")
	flags.StringVar(&o.json, "json", "", "write the report as JSON to `file`")
	flags.StringVar(&o.docs, "docs", "", "write the table into `file`, in place of what follows its line "+docsMark)
	flags.DurationVar(&o.api, "api", 50*time.Millisecond, "latency of a request to the API")
	flags.DurationVar(&o.git, "git", 100*time.Millisecond, "latency of each HTTP request of git")
	flags.IntVar(&o.jobs, "jobs", 16, "how many scripts run at a time")
	flags.IntVar(&o.replicas, "replicas", 4, "how many replicas push directly (bench 3)")
	flags.DurationVar(&o.duration, "duration", 3*time.Minute, "how long the content limit is worked against (bench 6)")
	flags.IntVar(&o.rounds, "rounds", 40, "how many base windows are measured (bench 4)")
	flags.StringVar(&o.promobot, "promobot", "", "the promobot `binary`; without it, one is built")
	flags.StringVar(&o.dir, "dir", "", "the `folder` to work in, which is kept; without it, a temporary one")
	flags.BoolVar(&o.trace, "trace", false, "write each bench's traffic, request by request, into --dir")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q: bench takes flags only", flags.Arg(0))
	}
	if o.trace && o.dir == "" {
		return o, errors.New("--trace needs --dir, where it is written")
	}
	if o.jobs < 1 || o.replicas < 1 || o.rounds < 1 {
		return o, errors.New("--jobs, --replicas and --rounds are at least 1")
	}
	for one := range strings.SplitSeq(only, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		n, err := strconv.Atoi(one)
		if err != nil || n < 1 || n > len(benches) {
			return o, fmt.Errorf("--only %s: the benches are 1 to %d", one, len(benches))
		}
		o.only = append(o.only, n)
	}
	o.progress = stderr
	return o, nil
}

// run runs the chosen benches and returns the program's exit code: 1 when one
// could not be carried out, or, with --check, when a target is not met.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench: "+err.Error())
		return 2
	}
	b := &bench{options: o}
	failed := b.runAll(ctx)
	b.report.table(stdout)
	if o.json != "" {
		text, err := json.MarshalIndent(b.report, "", "  ")
		if err == nil {
			err = os.WriteFile(o.json, append(text, '\n'), 0o644)
		}
		failed = errors.Join(failed, err)
	}
	if failed == nil && o.docs != "" {
		failed = b.report.writeInto(o.docs)
	}
	if failed != nil {
		fmt.Fprintln(stderr, "bench: "+failed.Error())
		return 1
	}
	if missed := b.report.missed(); o.check && missed > 0 {
		fmt.Fprintf(stderr, "bench: %d targets are not met\n", missed)
		return 1
	}
	return 0
}

func (b *bench) runAll(ctx context.Context) (err error) {
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "promobot-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	} else if err := os.MkdirAll(b.dir, 0o750); err != nil {
		return err
	}
	if b.binary, err = b.build(ctx); err != nil {
		return err
	}
	b.report.begin(ctx, b.options)
	for _, one := range benches {
		if len(b.only) > 0 && !slices.Contains(b.only, one.number) {
			continue
		}
		b.number = one.number
		b.report.section(one.number, one.title)
		b.say("%d. %s", one.number, one.title)
		before := used()
		if err := one.run(ctx, b); err != nil {
			return fmt.Errorf("bench %d: %w", one.number, err)
		}
		b.report.last().Others = before.others()
		b.say("   took %v", time.Since(before.at).Round(time.Second))
	}
	return nil
}

// say tells what is being done.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, format+"\n", args...)
}

// of is a number for a measurement, or a small one for a smoke test.
func (b *bench) of(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}
