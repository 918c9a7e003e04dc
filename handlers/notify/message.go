package notify

// What is sent: the message, escaped for where it goes, and the request's body.

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// message is what the template makes of an event.
func (r *Receiver) message(e Event) (string, error) {
	f := Fields{
		Kind: string(e.Kind), Repository: e.Repository, Pipeline: e.Pipeline, Name: firstOf(e.short, e.Pipeline), Environment: e.Environment, Production: e.Production,
		Title: e.Title, Text: e.Text, Needs: e.Needs, Revision: e.Revision, URL: e.URL, At: e.At.UTC(),
	}
	for _, s := range []*string{&f.Kind, &f.Repository, &f.Pipeline, &f.Name, &f.Environment, &f.Title, &f.Text, &f.Needs, &f.Revision} {
		*s = plain(*s)
		if r.Format == Slack {
			*s = escapeSlack(*s)
		}
	}
	f.URL = safeURL(f.URL)
	var out bounded
	if err := r.template.Execute(&out, f); err != nil {
		return "", err
	}
	return cut(strings.TrimSpace(out.String()), maxMessage), nil
}

// bounded is a text that does not grow without bound, whatever a template does.
type bounded struct{ strings.Builder }

var errLong = errors.New("the message is longer than 64 KB")

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > 64<<10 {
		return 0, errLong
	}
	return b.Builder.Write(p)
}

// plain makes one line of a text, without control characters or those that turn
// the direction of writing.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf) || r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
}

// escapeSlack is Slack's own rule ("Formatting text for app surfaces: Escaping
// text"): with these three escaped there is no mention, no channel and no link in
// a text.
func escapeSlack(s string) string { return slackEscaper.Replace(s) }

var slackEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// safeURL is a URL that can stand in Slack's <URL|text>; "" for what is none.
func safeURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return strings.NewReplacer("|", "%7C", ">", "%3E", "<", "%3C", " ", "%20").Replace(u.String())
}

// cut keeps the first n characters, and does not end within an escape or a link.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	s = string([]rune(s)[:n-1])
	if i := strings.LastIndexByte(s, '&'); i >= len(s)-4 && i >= 0 && !strings.Contains(s[i:], ";") {
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '<'); i >= 0 && !strings.Contains(s[i:], ">") {
		s = s[:i]
	}
	return s + "…"
}

// body is the request's body for an event.
func (r *Receiver) body(e Event) ([]byte, error) {
	text, err := r.message(e)
	if err != nil {
		return nil, err
	}
	if r.Format == Slack {
		return json.Marshal(map[string]any{"text": text})
	}
	e.Version, e.Message = 1, text
	return json.Marshal(e)
}
