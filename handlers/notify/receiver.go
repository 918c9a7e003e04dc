package notify

// Receivers: who is told what, and in which words.

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// Format is what a receiver understands.
type Format string

// The formats.
const (
	Slack   Format = "slack"   // Slack's incoming webhooks, and those like them
	Webhook Format = "webhook" // the Event as JSON, signed
)

// Settings describe one receiver.
type Settings struct {
	Name   string
	Format Format
	URL    string // a secret
	Secret string // that signs what is sent; "" for none
	// On are the kinds that it is told of; none: Defaults.
	On []Kind
	// Environments are globs of names, those with a slash of pipeline/environment;
	// Repositories are globs of owner/name. None: all.
	Environments, Repositories []string
	// Template makes the message: text/template over Fields. "": the built-in one.
	Template string
	// AllowPrivate lets it be in a private network, on this machine, or without
	// encryption.
	AllowPrivate bool
}

// Fields are what a template can name. For Slack all texts in them are escaped.
type Fields struct {
	Kind, Repository, Pipeline, Name, Environment string
	Production                                    bool
	Title, Text, Needs, Revision, URL             string
	At                                            time.Time
}

// Receiver is a receiver whose settings are good. Make one with NewReceiver.
type Receiver struct {
	Settings
	template *template.Template
}

// SettingError is what is wrong with one setting of a receiver.
type SettingError struct {
	Setting string // as in the configuration
	Line    int    // within the setting's text, from 1; 0 when it has one line
	Text    string
}

func (e *SettingError) Error() string { return e.Setting + ": " + e.Text }

const maxMessage = 3000 // characters; Slack advises 4,000 at most ("Truncating really long messages")

var builtIn = map[Format]string{
	Slack:   "{{if .URL}}<{{.URL}}|{{.Title}}>{{else}}{{.Title}}{{end}} ({{.Repository}}){{if .Text}}\n{{.Text}}{{end}}{{if .Needs}}\n:point_right: {{.Needs}}{{end}}",
	Webhook: "{{.Title}} ({{.Repository}}){{if .Text}}: {{.Text}}{{end}}{{if .Needs}} {{.Needs}}{{end}}",
}

var names = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// NewReceiver checks settings. Its errors are *SettingError, joined, and do not
// hold the URL or the secret.
func NewReceiver(s Settings) (*Receiver, error) {
	var problems []error
	wrong := func(setting string, line int, format string, args ...any) {
		problems = append(problems, &SettingError{setting, line, fmt.Sprintf(format, args...)})
	}
	if !names.MatchString(s.Name) {
		wrong("name", 0, "%q is no name: small letters, digits and -, at most 40", s.Name)
	}
	if s.Format != Slack && s.Format != Webhook {
		wrong("kind", 0, "%q is neither slack nor webhook", s.Format)
	}
	if text := urlProblem(s); text != "" {
		wrong("url", 0, "%s", text)
	}
	for _, kind := range s.On {
		if !slices.Contains(Kinds, kind) {
			wrong("on", 0, "%q is none of %s", kind, KindNames())
		}
	}
	for setting, globs := range map[string][]string{"environments": s.Environments, "repositories": s.Repositories} {
		for _, glob := range globs {
			if !doublestar.ValidatePattern(glob) || glob == "" {
				wrong(setting, 0, "%q is no glob", glob)
			}
		}
	}
	text := s.Template
	if text == "" {
		text = builtIn[s.Format]
	}
	r := &Receiver{Settings: s}
	var err error
	if r.template, err = parse(text); err == nil {
		err = r.try()
	}
	if err != nil {
		line, what := templateError(err)
		wrong("template", line, "%s", what)
	}
	if len(r.On) == 0 {
		r.On = Defaults
	}
	return r, errors.Join(problems...)
}

// KindNames lists the kinds for people.
func KindNames() string {
	var all []string
	for _, kind := range Kinds {
		all = append(all, string(kind))
	}
	return strings.Join(all, ", ")
}

// urlProblem says what is wrong with the URL without saying any of it.
func urlProblem(s Settings) string {
	u, err := url.Parse(s.URL)
	switch {
	case s.URL == "":
		return "it is missing"
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "it is not a URL that begins with https://"
	case u.User != nil:
		return "it must not hold a user or password; sign with secret instead"
	case u.Scheme == "http" && !s.AllowPrivate:
		return "use https; http is taken only with allow_private: true"
	}
	return ""
}

func parse(text string) (*template.Template, error) {
	return template.New("template").Option("missingkey=error").Funcs(template.FuncMap{
		"lower": strings.ToLower, "upper": strings.ToUpper,
	}).Parse(text)
}

// try renders the template with full and with empty data, so that what is
// misspelt is told at the start.
func (r *Receiver) try() error {
	for _, e := range []Event{Sample(time.Time{}), {}} {
		if _, err := r.message(e); err != nil {
			return err
		}
	}
	return nil
}

// Sample is an event that did not happen, to try a receiver with.
func Sample(at time.Time) Event {
	return Event{
		Version: 1, ID: id(0, "", "", "test", stamp(at)), Kind: Waiting, At: at, Repository: "acme/gitops", Pipeline: "services/checkout", short: "checkout",
		Environment: "staging", Title: "checkout staging waits for a person", Text: "This is a test: nothing has happened.",
		Needs: "Nothing: the receiver works.", URL: "https://github.com/acme/gitops", Revision: strings.Repeat("9f3c1d2e", 5),
	}
}

// templateLine is how text/template's errors say where.
var templateLine = regexp.MustCompile(`^template: template:([0-9]+)(?::[0-9]+)?: (?:executing "template" at )?`)

var noField = regexp.MustCompile(`<[^>]*>: can't evaluate field (\w+) in type .*`)

// templateError puts text/template's errors in our words: the line, and what is
// wrong.
func templateError(err error) (line int, text string) {
	text = err.Error()
	if m := templateLine.FindStringSubmatch(text); m != nil {
		_, _ = fmt.Sscan(m[1], &line)
		text = text[len(m[0]):]
	}
	return line, noField.ReplaceAllString(text, "there is no field .$1")
}

// wants says whether the receiver is told of an event.
func (r *Receiver) wants(e Event) bool {
	return slices.Contains(r.On, e.Kind) && matches(r.Repositories, strings.ToLower(e.Repository)) && r.wantsEnvironment(e)
}

func (r *Receiver) wantsEnvironment(e Event) bool {
	if e.Environment == "" { // the pipeline file concerns them all
		return true
	}
	var short, long []string
	for _, glob := range r.Environments {
		if strings.Contains(glob, "/") {
			long = append(long, glob)
		} else {
			short = append(short, glob)
		}
	}
	return len(r.Environments) == 0 || len(short) > 0 && matches(short, e.Environment) || len(long) > 0 && matches(long, e.Pipeline+"/"+e.Environment)
}

// matches says whether any of the globs matches; none at all match everything.
func matches(globs []string, name string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(glob string) bool {
		ok, err := doublestar.Match(strings.ToLower(glob), name)
		return err == nil && ok
	})
}
