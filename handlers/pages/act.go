package pages

// Acting: a form for each action that applies, a page that asks once more where an
// action wants that, and the answer. Whether the person may is decided where the
// action is carried out; here only what stands on the page can be asked for.

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/view"
)

// form is a button that asks for an action.
type form struct {
	To          string
	CSRF        string
	Once        string
	Pipeline    string
	Environment string
	Action      view.Action
	Main        bool // what is waited for
	More        bool // a second button leads to what may be said besides
}

// newOnce tells one drawing of a page from any other.
func newOnce() string { return rand.Text() }

func newForm(repo *view.Repository, e *view.Environment, a view.Action, who *Person, once string) *form {
	return &form{To: repoPath(repo) + "/act", CSRF: who.CSRF, Once: once, Pipeline: e.Pipeline, Environment: e.Name, Action: a, Main: e.Needs != "" && slices.Contains(goesOn, a.Name)}
}

func newForms(repo *view.Repository, e *view.Environment, who *Person, once string) []*form {
	forms := make([]*form, 0, len(e.Actions))
	for _, a := range e.Actions {
		forms = append(forms, newForm(repo, e, a, who, once))
	}
	return forms
}

// confirmPage asks once more.
type confirmPage struct {
	Repository  *view.Repository
	Environment *view.Environment
	Pipeline    string // its title
	Form        *form
	Hold        *holding // what may be said about a hold; nil: it is another action
	Back        string
}

var onces = regexp.MustCompile(`^[A-Z2-7]{20,64}$`)

// act is POST /OWNER/REPO/act.
func (p *Pages) act(r *http.Request, who *Person) (*answer, error) {
	if err := p.origin.Check(r); err != nil {
		return nil, notSent(err)
	}
	if err := r.ParseForm(); err != nil {
		return nil, &refusal{status: http.StatusBadRequest, title: "Not understood", text: "What was sent is no form of a page. Nothing was done."}
	}
	if err := p.options.People.CheckForm(r); err != nil {
		return nil, notSent(err)
	}
	repo, err := p.one(r)
	if err != nil {
		return nil, err
	}
	in := r.PostForm
	of, e := find(repo, in.Get("pipeline"), in.Get("environment"))
	if e == nil {
		return nil, errNotFound
	}
	back := envPath(repo, of.Key, e.Name)
	// An action is about what the page showed when it was drawn: its button says.
	at := slices.IndexFunc(e.Actions, func(a view.Action) bool { return a.Command == in.Get("command") && a.Button == in.Get("button") })
	switch {
	case at < 0:
		return nil, &refusal{status: http.StatusConflict, title: "That does not apply any more", back: back, text: "Something has changed since the page was drawn. Nothing was done; look again."}
	case !onces.MatchString(in.Get("once")):
		return nil, &refusal{status: http.StatusBadRequest, title: "Not understood", back: back, text: "The form is not whole. Nothing was done; load the page again."}
	}
	action := e.Actions[at]
	says, hold, whole := action.Command, newHolding(action, in), true
	if hold != nil {
		says, whole = hold.command(action, p.options.Now())
	}
	if asks := action.Asks != "" || in.Get("more") == "yes"; asks && in.Get("confirmed") != "yes" || !whole {
		f := newForm(repo, e, action, who, in.Get("once"))
		a := &answer{template: "confirm", page: page{Title: action.Label + " " + e.Name + "?", Data: confirmPage{repo, e, titleOf(repo, of), f, hold, back}}}
		a.page.Crumbs = crumbs(repo, crumb{titleOf(repo, of), pipePath(repo, of.Key)}, crumb{e.Name, back}, crumb{action.Label, ""})
		return a, nil
	}
	press := Press{ID: pressID(who, repo, e, action.Button, says, in.Get("once")), By: who.Login, Command: says, Button: action.Button, PullRequest: action.PullRequest, At: p.options.Now()}
	if err := p.options.Press(r.Context(), *repo, press); err != nil {
		return nil, fmt.Errorf("keep a press: %w", err)
	}
	return &answer{to: back + "?answer=" + press.ID}, nil
}

func notSent(err error) error {
	return &refusal{status: http.StatusForbidden, title: "Not from one of these pages", text: "The form was not sent by a page that you were given, or you have signed in anew since. Nothing was done; load the page again. (" + err.Error() + ")"}
}

// pressID is the same for the same button of the same drawing of a page, when the
// same is said with it, and for nobody else's.
func pressID(who *Person, repo *view.Repository, e *view.Environment, button, command, once string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %q %q %q %q %q", strings.ToLower(who.Login), repo.ID, e.Pipeline, e.Name, command, button, once))
	return "page-" + hex.EncodeToString(sum[:16])
}

var pressIDs = regexp.MustCompile(`^page-[0-9a-f]{32}$`)

// answeredWithin is how long after a press its answer is looked for.
const answeredWithin = 2 * time.Hour

// asked is a press and what became of it.
type asked struct {
	Answer *view.Answer // nil: it is still to come
}

// asked is what became of a person's own press; nil when it is none of a page's.
func (p *Pages) asked(r *http.Request, repo *view.Repository, who *Person, id string) (*asked, error) {
	if !pressIDs.MatchString(id) {
		return nil, nil
	}
	answers, err := p.options.Store.Answers(r.Context(), repo.ID, p.options.Now().Add(-answeredWithin))
	if err != nil {
		return nil, fmt.Errorf("read answers: %w", err)
	}
	for i := range answers {
		if answers[i].ID == id && strings.EqualFold(answers[i].By, who.Login) {
			return &asked{&answers[i]}, nil
		}
	}
	return &asked{}, nil
}
