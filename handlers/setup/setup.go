// Package setup is the local page of `promobot setup`: it asks what the GitHub
// App is to be, sends the person to GitHub with the App's manifest ("Registering
// a GitHub App from a manifest", GitHub Docs), takes the code that they come back
// with, and hands on what it is converted into.
//
// Rules:
//   - Only who was given the first address sees the pages: its token is good once,
//     and is exchanged for a cookie. The server answers to one host name alone.
//   - What GitHub sends back counts only with the state that was sent.
//   - A code or a secret stands in no page, log line or error. What was converted
//     is kept in memory until it is saved, since GitHub gives it once.
//   - No script, no other host: the pages are whole by themselves.
package setup

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/promobot/promobot/promotion/registration"
)

// Answers are what the App is to be.
type Answers struct {
	GitHub       string   // address of GitHub; empty for github.com
	Organization string   // that owns the App
	Personal     bool     // the person owns it themselves
	Name         string   // of the App
	URL          string   // promobot's public one
	Options      []string // of registration.Options
}

// Saved is what was written, for the last page and the terminal.
type Saved struct {
	Files []string // names
	Dir   string   // absolute
	Next  []Step
}

// Step is something to do next: a command or an address.
type Step struct {
	Title, Command, URL string
}

// Options make a Flow.
type Options struct {
	Base    string // the server's own address, http://127.0.0.1:PORT
	Answers Answers
	Client  *http.Client
	// Save keeps what GitHub gave. It is called again when it failed.
	Save func(Made) (Saved, error)
}

// Flow is one set-up.
type Flow struct {
	options Options
	host    string
	first   string // token of the first address
	cookie  string // name of the session's cookie

	mu      sync.Mutex
	used    bool   // the first address was opened
	session string // value of the cookie
	waiting map[string]order
	code    string // to be converted
	from    order  // of the code
	made    *Made  // converted, perhaps not saved yet
	saved   *Saved
	turn    sync.Mutex // one conversion at a time
	done    chan struct{}
}

// order is an App that was asked for, by the state that was sent.
type order struct {
	place  registration.Place
	public string
}

// maxOrders bounds how often the form is sent in one set-up.
const maxOrders = 100

// New makes a set-up.
func New(o Options) (*Flow, error) {
	base, err := url.Parse(o.Base)
	if err != nil || base.Host == "" {
		return nil, errors.New("a set-up needs the address of its pages")
	}
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	return &Flow{
		options: o, host: base.Host, first: rand.Text(), session: rand.Text(),
		cookie: "promobot-setup-" + strings.ToLower(rand.Text()[:8]), waiting: map[string]order{}, done: make(chan struct{}),
	}, nil
}

// First is the address to open in a browser. It works once.
func (f *Flow) First() string { return f.options.Base + "/start/" + f.first }

// Done is closed when all is saved; Saved says what.
func (f *Flow) Done() <-chan struct{} { return f.done }

// Saved is what was saved; nil before Done.
func (f *Flow) Saved() *Saved {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.saved
}

// order checks answers and remembers them under a new state. What is wrong is
// said by the field's name.
func (f *Flow) order(a Answers) (address string, manifest []byte, wrong map[string]string) {
	wrong = map[string]string{}
	place, err := registration.ParsePlace(a.GitHub)
	if err != nil {
		wrong["github"] = upper(err.Error())
	}
	public, err := registration.ParsePublic(a.URL, place)
	if err != nil {
		wrong["url"] = upper(err.Error())
	}
	switch {
	case a.Name == "":
		wrong["name"] = "Name the App; GitHub shows it as the author of pull requests."
	case len(a.Name) > registration.LongestName:
		wrong["name"] = "GitHub takes at most 34 characters."
	}
	switch {
	case a.Personal:
		a.Organization = ""
	case a.Organization == "":
		wrong["organization"] = "Name the organization, or make the App your own."
	case strings.ContainsAny(a.Organization, "/ ?#%"):
		wrong["organization"] = "Write the organization's name as it stands in its address, such as acme."
	}
	if len(wrong) > 0 {
		return "", nil, wrong
	}
	manifest, err = registration.App{Name: a.Name, URL: public, Redirect: f.options.Base + "/created", Options: a.Options}.Manifest()
	if err != nil {
		wrong["url"] = upper(err.Error())
		return "", nil, wrong
	}
	state := rand.Text()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) >= maxOrders {
		wrong["name"] = "This was sent very often; start `promobot setup` again."
		return "", nil, wrong
	}
	f.waiting[state] = order{place, public}
	return place.NewAppURL(a.Organization, state), manifest, nil
}

// errState is a way back that did not begin here.
var errState = errors.New("this did not begin here: open the address that promobot setup has printed, and begin there")

// take takes the code that came with a state, each state once.
func (f *Flow) take(code, state string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var known order
	found := ""
	for s, o := range f.waiting {
		if subtle.ConstantTimeCompare([]byte(s), []byte(state)) == 1 {
			known, found = o, s
		}
	}
	switch {
	case found == "":
		return errState
	case code == "":
		return errors.New("GitHub sent no code along: was the App created?")
	case f.made != nil:
		return errors.New("an App was made already; start promobot setup again for another")
	}
	delete(f.waiting, found)
	f.code, f.from = code, known
	return nil
}

// Paste takes what a person copied: the address that GitHub sent them to, or the
// code in it. Without the address the App has to be that of the only order. What
// was taken and is not finished is tried again, whatever was pasted.
func (f *Flow) Paste(ctx context.Context, text string) error {
	if f.Retry() {
		return f.finish(ctx) // it was taken before, and what was in the way may be mended
	}
	text = strings.TrimSpace(text)
	code, state := text, ""
	if u, err := url.Parse(text); err == nil && u.Query().Get("code") != "" {
		code, state = u.Query().Get("code"), u.Query().Get("state")
	} else if strings.ContainsAny(text, "/?& ") {
		return errors.New("there is no code in this address; copy the one that GitHub sends you to after \"Create GitHub App\"")
	} else {
		state = f.onlyState()
	}
	if state == "" {
		return errors.New("paste the whole address, not the code alone: it says which App it is")
	}
	if err := f.take(code, state); err != nil {
		return err
	}
	return f.finish(ctx)
}

// onlyState is the state that waits, when there is but one.
func (f *Flow) onlyState() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) != 1 {
		return ""
	}
	for s := range f.waiting {
		return s
	}
	return ""
}

// finish converts the code and saves what it gave; after an error it may be
// called again, and goes on where it was.
func (f *Flow) finish(ctx context.Context) error {
	f.turn.Lock()
	defer f.turn.Unlock()
	f.mu.Lock()
	code, from, made, saved := f.code, f.from, f.made, f.saved
	f.mu.Unlock()
	if saved != nil {
		return nil
	}
	if made == nil {
		if code == "" {
			return errState
		}
		got, err := convert(ctx, f.options.Client, from, code)
		if err != nil {
			if errors.Is(err, errSpent) {
				f.mu.Lock()
				f.code = ""
				f.mu.Unlock()
			}
			return err
		}
		made = &got
		f.mu.Lock()
		f.made, f.code = made, ""
		f.mu.Unlock()
	}
	result, err := f.options.Save(*made)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.saved = &result
	f.mu.Unlock()
	close(f.done)
	return nil
}

// Retry says whether finish may succeed when it is tried again as things are.
func (f *Flow) Retry() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.saved == nil && (f.code != "" || f.made != nil)
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
