package handlers_test

import (
	"testing"

	"github.com/promobot/promobot/handlers"
)

func TestParseRepository(t *testing.T) {
	cases := []struct {
		name, key, note string
		want            handlers.Repository // zero: refused
	}{
		{"usual", "repository/42", "3 acme/deploy", deploy},
		{"odd but right", "repository/1", "1 a_b-c/.github", handlers.Repository{InstallationID: 1, ID: 1, Owner: "a_b-c", Name: ".github"}},
		{"another key", "command/42", "3 acme/deploy", handlers.Repository{}},
		{"no prefix", "42", "3 acme/deploy", handlers.Repository{}},
		{"no number", "repository/x", "3 acme/deploy", handlers.Repository{}},
		{"no id", "repository/0", "3 acme/deploy", handlers.Repository{}},
		{"no note", "repository/42", "", handlers.Repository{}},
		{"no installation", "repository/42", "acme/deploy", handlers.Repository{}},
		{"no owner", "repository/42", "3 deploy", handlers.Repository{}},
		{"a path", "repository/42", "3 acme/deploy/x", handlers.Repository{}},
		{"upwards", "repository/42", "3 acme/..", handlers.Repository{}},
		{"an option", "repository/42", "3 acme/a b", handlers.Repository{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := handlers.ParseRepository(c.key, c.note)
			if got != c.want || (err == nil) != (c.want != handlers.Repository{}) {
				t.Fatalf("got %+v, %v; want %+v", got, err, c.want)
			}
			if err == nil && (got.Key() != c.key || got.Note() != c.note) {
				t.Fatalf("back: %q %q", got.Key(), got.Note())
			}
		})
	}
}
