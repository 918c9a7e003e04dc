package gitrepo_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/promobot/promobot/promotion"
)

// TestPushBrokenOff asserts what is said of a push whose answer was lost.
func TestPushBrokenOff(t *testing.T) {
	tests := []struct {
		name string
		// broken answers the receive-pack request.
		broken    func(sc *scene, theirs string, w http.ResponseWriter, req *http.Request, next http.Handler)
		want      promotion.PushStatus
		reason    string
		lookFails bool
	}{
		{
			name: "after it landed",
			broken: func(_ *scene, _ string, _ http.ResponseWriter, req *http.Request, next http.Handler) {
				next.ServeHTTP(httptest.NewRecorder(), req)
				panic(http.ErrAbortHandler)
			},
			want: promotion.Pushed,
		},
		{
			name: "before it landed",
			broken: func(*scene, string, http.ResponseWriter, *http.Request, http.Handler) {
				panic(http.ErrAbortHandler)
			},
			want: promotion.Unknown, reason: "stands as before",
		},
		{
			name: "a bad gateway after it landed",
			broken: func(_ *scene, _ string, w http.ResponseWriter, req *http.Request, next http.Handler) {
				next.ServeHTTP(httptest.NewRecorder(), req)
				http.Error(w, "bad gateway", http.StatusBadGateway)
			},
			want: promotion.Pushed,
		},
		{
			name: "before it landed, and someone else moved the ref",
			broken: func(sc *scene, theirs string, _ http.ResponseWriter, _ *http.Request, _ http.Handler) {
				sc.origin.push(theirs + ":" + mainRef)
				panic(http.ErrAbortHandler)
			},
			want: promotion.Conflict,
		},
		{
			name: "after it landed, and the remote cannot be asked",
			broken: func(_ *scene, _ string, _ http.ResponseWriter, req *http.Request, next http.Handler) {
				next.ServeHTTP(httptest.NewRecorder(), req)
				panic(http.ErrAbortHandler)
			},
			want: promotion.Unknown, lookFails: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sc := newScene(t)
			base := sc.origin.commit("base", map[string]string{"a": "1"})
			sc.origin.push()
			sc.fetch()
			theirs := sc.origin.commit("theirs", map[string]string{"a": "2"})
			mine := sc.newCommit(base, "mine", write("b", "x"))
			var broken atomic.Bool
			sc.server.inject(func(kind string, w http.ResponseWriter, req *http.Request, next http.Handler) bool {
				if broken.Load() && tt.lookFails {
					panic(http.ErrAbortHandler)
				}
				if kind != "git-receive-pack" {
					return false
				}
				broken.Store(true)
				tt.broken(sc, theirs, w, req, next)
				return true
			})
			results, err := sc.repo.Push(t.Context(), []promotion.RefUpdate{{Ref: mainRef, Old: base, New: mine}}, false)
			if (err != nil) != tt.lookFails {
				t.Fatalf("error %v, want one: %v", err, tt.lookFails)
			}
			if !broken.Load() {
				t.Fatal("the push was never broken off")
			}
			if results[0].Status != tt.want || !strings.Contains(results[0].Reason, tt.reason) {
				t.Errorf("got %+v, want status %d with %q", results[0], tt.want, tt.reason)
			}
		})
	}
}
