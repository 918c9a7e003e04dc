package doctor

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/promobot/promobot/promotion/registration"
)

// App is what was read of the App. With Bad nothing else is known.
type App struct {
	ID          int64
	Bad         string // why GitHub does not know the App
	Slug, Name  string
	Settings    string // its settings page, without a slash at its end
	Install     string // where it is installed on repositories
	Public      string // server.public_url; "" when it is not set
	Permissions map[string]string
	Events      []string
	// Skew is how far this machine's clock is before GitHub's.
	Skew          time.Duration
	Hook          *Hook // nil: it has none
	Deliveries    []Delivery
	Installations []Installation
}

// Hook is where GitHub sends webhooks.
type Hook struct {
	URL           string
	Secret        bool // it has one
	SkipsIdentity bool // the certificate is not verified
}

// Delivery is a webhook that was sent, newest first in a list.
type Delivery struct {
	At     time.Time
	Event  string
	Code   int    // of the answer; 0 when there was none
	Status string // GitHub's words
}

// Installation is where the App is installed.
type Installation struct {
	ID          int64
	Account     string
	Page        string // its settings
	Suspended   bool
	Permissions map[string]string
	Events      []string
	Limit       *Limit // nil: not read
}

// Limit is what is left of the hour's requests.
type Limit struct {
	Limit, Remaining int
	Reset            time.Time
}

const (
	// muchSkew is half of what a signature's time may be off ("Generating a JSON
	// Web Token for a GitHub App": issued 60 seconds in the past).
	muchSkew = 30 * time.Second
	// newest is how many deliveries are judged.
	newest = 20
)

// JudgeApp judges the App, for a promobot that uses these of
// registration.Options.
func JudgeApp(a App, uses ...string) []Finding {
	r := report{subject: "app"}
	if a.Bad != "" {
		r.add(Wrong, "key", a.Bad, "hold github.app_id and github.private_key_file against the App's settings page; a new key is made there, under Private keys", a.Settings)
		r.clock(a.Skew)
		return r.all
	}
	r.well("key", "GitHub knows the App %s (%d) by its key", a.Slug, a.ID)
	r.clock(a.Skew)
	r.permissions("permissions", "the App", a.Permissions, uses, "grant it there, then accept it for each installation", a.Settings+"/permissions")
	r.more(a)
	r.events(a, uses)
	r.hook(a)
	r.deliveries(a)
	r.installations(a, uses)
	return r.all
}

func (r *report) clock(skew time.Duration) {
	off := skew.Round(time.Second)
	switch {
	case skew.Abs() >= muchSkew:
		way := "ahead of"
		if skew < 0 {
			way = "behind"
		}
		r.add(Wrong, "clock", fmt.Sprintf("this machine's clock is %s %s GitHub's, which refuses signatures for that", off.Abs(), way), "let the machine keep its time by NTP", "")
	case skew.Abs() >= 5*time.Second:
		r.add(Doubtful, "clock", fmt.Sprintf("this machine's clock is %s off GitHub's", off.Abs()), "let the machine keep its time by NTP", "")
	default:
		r.well("clock", "the clock agrees with GitHub's")
	}
}

// permissions names what is not granted.
func (r *report) permissions(about, whose string, granted map[string]string, uses []string, mend, at string) {
	missing := 0
	for _, p := range registration.Permissions(uses...) {
		if registration.Level(granted[p.Name]).Covers(p.Level) {
			continue
		}
		missing++
		has := "has not"
		if granted[p.Name] != "" {
			has = "has only " + granted[p.Name] + " of"
		}
		why := p.Why
		if p.Option != "" {
			why = p.Why + ", which the pipeline file asks for"
		}
		r.add(Wrong, about, fmt.Sprintf("%s %s the permission %s: %s; with it promobot %s", whose, has, p.Title, p.Level.Words(), why), mend, at)
	}
	if missing == 0 {
		r.well(about, "%s has every permission that promobot needs", whose)
	}
}

// more names what the App could do and promobot never does.
func (r *report) more(a App) {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(a.Permissions)) {
		most := registration.Level("")
		for _, p := range registration.All() {
			if p.Name == name && (most == "" || p.Level.Covers(most)) {
				most = p.Level
			}
		}
		if granted := registration.Level(a.Permissions[name]); most == "" || !most.Covers(granted) {
			names = append(names, name+": "+a.Permissions[name])
		}
	}
	if len(names) > 0 {
		r.add(Doubtful, "permissions", "the App may do what promobot never does ("+strings.Join(names, ", ")+")", "take it away there", a.Settings+"/permissions")
	}
}

func (r *report) events(a App, uses []string) {
	var missing []string
	for _, e := range registration.Events(uses...) {
		if !slices.Contains(a.Events, e) {
			missing = append(missing, e)
		}
	}
	if len(missing) > 0 {
		r.add(Wrong, "events", "the App does not hear of "+strings.Join(missing, ", ")+", so that promobot notices late or never", "tick them under \"Subscribe to events\"", a.Settings+"/permissions")
		return
	}
	r.well("events", "the App hears of everything that promobot looks at")
}

func (r *report) hook(a App) {
	if a.Hook == nil || a.Hook.URL == "" {
		r.add(Wrong, "webhook", "the App has no webhook", "set its URL to https://YOUR-HOST"+registration.HookPath+" and tick Active", a.Settings)
		return
	}
	u, err := url.Parse(a.Hook.URL)
	switch {
	case err != nil || !strings.HasSuffix(u.Path, registration.HookPath):
		r.add(Wrong, "webhook", fmt.Sprintf("webhooks go to %s, and promobot takes them at %s", a.Hook.URL, registration.HookPath), "mend the webhook's URL", a.Settings)
	case !a.Hook.Secret:
		r.add(Wrong, "webhook", "the webhook has no secret, and promobot takes none without", "set it to the same as github.webhook_secret_file holds", a.Settings)
	case u.Scheme != "https" && !registration.Loopback(u.Hostname()):
		r.add(Doubtful, "webhook", "webhooks come to "+a.Hook.URL+", over plain HTTP", "put promobot behind HTTPS and mend the webhook's URL", a.Settings)
	case a.Hook.SkipsIdentity:
		r.add(Doubtful, "webhook", "GitHub does not verify the certificate of "+u.Host, "enable SSL verification", a.Settings)
	case a.Public != "" && !strings.HasPrefix(a.Hook.URL, strings.TrimRight(a.Public, "/")+"/"):
		r.add(Doubtful, "webhook", "webhooks go to "+a.Hook.URL+", and server.public_url is "+a.Public, "mend whichever is outdated", a.Settings)
	default:
		r.well("webhook", "webhooks go to %s", a.Hook.URL)
	}
}

// deliveries judges the newest ones: what came of those before the last that
// was taken is history.
func (r *report) deliveries(a App) {
	if a.Hook == nil {
		return
	}
	list := a.Deliveries[:min(len(a.Deliveries), newest)]
	bad := slices.IndexFunc(list, func(d Delivery) bool { return d.Code/100 == 2 })
	if bad < 0 {
		bad = len(list)
	}
	failed := 0
	for _, d := range list {
		// The ping comes when the App is made, mostly before promobot runs.
		if d.Code/100 != 2 && d.Event != "ping" {
			failed++
		}
	}
	at := a.Settings + "/advanced"
	switch {
	case len(list) == 0:
		r.add(Doubtful, "deliveries", "GitHub has sent no webhook in the last three days", "push something to a repository on which the App is installed, and look again", at)
	case bad == 0 && failed == 0:
		r.well("deliveries", "webhooks arrive")
	case bad == 0:
		r.add(Doubtful, "deliveries", fmt.Sprintf("%d of the last %d webhooks did not arrive, the newest did", failed, len(list)), "promobot asks for what it missed; look there at what went wrong", at)
	default:
		last := list[0]
		r.add(Wrong, "deliveries", fmt.Sprintf("the last %s did not arrive (%s, %s: %s)", count(bad, "webhook"), last.Event, last.At.UTC().Format("2006-01-02 15:04 UTC"), answer(last)), remedy(last.Code), at)
	}
}

// answer is what GitHub says became of a delivery.
func answer(d Delivery) string {
	switch {
	case d.Code == 0:
		return d.Status
	case d.Status == "" || d.Status == "OK":
		return fmt.Sprint(d.Code)
	}
	return fmt.Sprintf("%d, %s", d.Code, d.Status)
}

// remedy is what an answer to a webhook means.
func remedy(code int) string {
	switch {
	case code == 0:
		return "GitHub does not reach promobot: open the way to it, by DNS, firewall and certificate"
	case code == 401 || code == 403:
		return "the webhook's secret on GitHub is not that of github.webhook_secret_file: set both to the same"
	case code == 404 || code == 405:
		return "something else answers there: lead " + registration.HookPath + " to promobot"
	case code == 413:
		return "a proxy before promobot refuses large bodies: let 25 MB pass"
	case code >= 500:
		return "promobot, or the proxy before it, is down: look at its log"
	}
	return "look at promobot's log"
}

// unaccepted are permissions that the App has, and an installation of it has not:
// those that it was given after it was installed.
func unaccepted(a App, i Installation, uses []string) []string {
	var out []string
	for _, p := range registration.Permissions(uses...) {
		if registration.Level(a.Permissions[p.Name]).Covers(p.Level) && !registration.Level(i.Permissions[p.Name]).Covers(p.Level) {
			out = append(out, p.Title+": "+p.Level.Words())
		}
	}
	return out
}

func (r *report) installations(a App, uses []string) {
	if len(a.Installations) == 0 {
		r.add(Wrong, "installations", "the App is installed nowhere", "install it on the repositories that promobot is for", a.Install)
		return
	}
	for _, i := range a.Installations {
		if i.Suspended {
			r.add(Doubtful, "installations", "the installation on "+i.Account+" is suspended", "an owner of "+i.Account+" can lift that", i.Page)
			continue
		}
		if late := unaccepted(a, i, uses); len(late) > 0 {
			r.add(Wrong, "installations", i.Account+" has not accepted yet what the App asks for ("+strings.Join(late, ", ")+")", "an owner of "+i.Account+" accepts it there, under Review request", i.Page)
		}
		if i.Limit != nil {
			r.limit(i)
		}
	}
	r.well("installations", "the App is installed on %s", some(accounts(a.Installations), 5))
}

func accounts(list []Installation) []string {
	var out []string
	for _, i := range list {
		out = append(out, i.Account)
	}
	return out
}

func (r *report) limit(i Installation) {
	l := i.Limit
	switch {
	case l.Remaining == 0:
		r.add(Wrong, "rate limit", fmt.Sprintf("none of %s's %d requests an hour is left until %s", i.Account, l.Limit, l.Reset.UTC().Format("15:04 UTC")), "wait until then; nothing is lost. What else uses this App?", "")
	case l.Remaining < l.Limit/10:
		r.add(Doubtful, "rate limit", fmt.Sprintf("%d of %s's %d requests an hour are left until %s", l.Remaining, i.Account, l.Limit, l.Reset.UTC().Format("15:04 UTC")), "look at promobot_github_requests_total for what uses them", "")
	default:
		r.well("rate limit", "%d of %s's %d requests an hour are left", l.Remaining, i.Account, l.Limit)
	}
}
