package command_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/command"
	"github.com/promobot/promobot/promotion/config"
)

func TestWhoMay(t *testing.T) {
	ana := command.Author{Login: "ana"}
	bot := command.Author{Login: "Renovate[bot]", Bot: true}
	down := errors.New("502")
	team := func(in bool, err error) func() (bool, error) { return func() (bool, error) { return in, err } }
	role := func(r string) config.Right { return config.Right{Role: r} }
	oncall := config.Right{Team: "acme/oncall"}
	listens := config.Commands{Bots: []string{"renovate[bot]"}}
	for name, test := range map[string]struct {
		need    config.Right
		who     command.Author
		has     promotion.Permission
		file    config.Commands
		team    func() (bool, error)
		allowed bool
		why     string
		err     error
	}{
		"a reader asks":                              {need: role("read"), who: ana, has: promotion.Permission{Role: "read", Folded: "read"}, allowed: true},
		"a reader changes":                           {need: role("write"), who: ana, has: promotion.Permission{Role: "read", Folded: "read"}, why: "it asks for the role write in this repository; ana has read"},
		"nobody asks":                                {need: role("read"), who: ana, has: promotion.Permission{Role: "none", Folded: "none"}, why: "it asks for the role read in this repository; ana has none"},
		"an empty permission":                        {need: role("read"), who: ana, why: "it asks for the role read in this repository; ana has none"},
		"triage, folded into read":                   {need: role("triage"), who: ana, has: promotion.Permission{Role: "triage", Folded: "read"}, allowed: true},
		"triage writes":                              {need: role("write"), who: ana, has: promotion.Permission{Role: "triage", Folded: "read"}, why: "ana has triage"},
		"a writer writes":                            {need: role("write"), who: ana, has: promotion.Permission{Role: "write", Folded: "write"}, allowed: true},
		"a writer maintains":                         {need: role("maintain"), who: ana, has: promotion.Permission{Role: "write", Folded: "write"}, why: "ana has write"},
		"a maintainer, folded into write":            {need: role("maintain"), who: ana, has: promotion.Permission{Role: "maintain", Folded: "write"}, allowed: true},
		"a maintainer administers":                   {need: role("admin"), who: ana, has: promotion.Permission{Role: "maintain", Folded: "write"}, why: "ana has maintain"},
		"an admin":                                   {need: role("admin"), who: ana, has: promotion.Permission{Role: "admin", Folded: "admin"}, allowed: true},
		"a custom role writes":                       {need: role("write"), who: ana, has: promotion.Permission{Role: "releaser", Folded: "write"}, allowed: true},
		"a custom role never maintains":              {need: role("maintain"), who: ana, has: promotion.Permission{Role: "releaser", Folded: "write"}, why: "ana has releaser, which counts as write"},
		"a custom role that administers":             {need: role("maintain"), who: ana, has: promotion.Permission{Role: "boss", Folded: "admin"}, allowed: true},
		"a custom role by another's name":            {need: role("maintain"), who: ana, has: promotion.Permission{Role: "Maintain", Folded: "write"}, why: "counts as write"},
		"a role that GitHub does not fold so":        {need: role("write"), who: ana, has: promotion.Permission{Role: "admin", Folded: "read"}, why: "counts as read"},
		"a role without what it is folded into":      {need: role("read"), who: ana, has: promotion.Permission{Role: "admin"}, why: "ana has none"},
		"a role that is not known is nobody's":       {need: role("owner"), who: ana, has: promotion.Permission{Role: "admin", Folded: "admin"}, why: "the role owner"},
		"no right at all is nobody's":                {who: ana, has: promotion.Permission{Role: "admin", Folded: "admin"}, why: "it asks for"},
		"a member":                                   {need: oncall, who: ana, team: team(true, nil), allowed: true},
		"no member, though an admin":                 {need: oncall, who: ana, has: promotion.Permission{Role: "admin", Folded: "admin"}, team: team(false, nil), why: "it asks for someone in the team acme/oncall"},
		"a team that cannot be seen":                 {need: oncall, who: ana, team: team(false, &promotion.RefusedError{Reason: "organization members is not granted"}), why: "organization members is not granted"},
		"a team that cannot be read now":             {need: oncall, who: ana, team: team(true, down), err: down},
		"a bot":                                      {need: role("read"), who: bot, has: promotion.Permission{Role: "admin", Folded: "admin"}, why: "bots are not listened to"},
		"a bot that is named":                        {need: role("write"), who: bot, has: promotion.Permission{Role: "write", Folded: "write"}, file: listens, allowed: true},
		"a bot that is named, without the right":     {need: role("write"), who: bot, has: promotion.Permission{Role: "none", Folded: "none"}, file: listens, why: "Renovate[bot] has none"},
		"a person is not let in by the bots' list":   {need: role("write"), who: command.Author{Login: "renovate[bot]"}, file: listens, why: "has none"},
		"a member of a team is not asked for a role": {need: oncall, who: ana, has: promotion.Permission{Role: "read", Folded: "read"}, team: team(true, nil), allowed: true},
	} {
		t.Run(name, func(t *testing.T) {
			asked := false
			allowed, why, err := command.Allowed(test.need, test.who, test.has, test.file, func() (bool, error) {
				asked = true
				return test.team()
			})
			if allowed != test.allowed || !errors.Is(err, test.err) || !strings.Contains(why, test.why) || allowed == (why != "") && err == nil {
				t.Errorf("allowed: %v, %q, %v; want %v, %q, %v", allowed, why, err, test.allowed, test.why, test.err)
			}
			if asked != (test.team != nil) {
				t.Errorf("the team was asked: %v", asked)
			}
		})
	}
}

func TestWhatIsNeeded(t *testing.T) {
	maintain, oncall := config.Right{Role: "maintain"}, config.Right{Team: "acme/oncall"}
	said := config.Commands{Rights: map[string]config.Right{"rollback": oncall, "status": {Role: "triage"}, "hold": {Role: "triage"}}}
	for name, test := range map[string]struct {
		command     string
		commands    config.Commands
		environment config.Right
		want        string
	}{
		"help":                                   {"help", config.Commands{}, maintain, "read"},
		"status":                                 {"status", config.Commands{}, config.Right{}, "read"},
		"plan, where an environment asks more":   {"plan", config.Commands{}, maintain, "read"},
		"status, said otherwise":                 {"status", said, config.Right{}, "triage"},
		"promote":                                {"promote", config.Commands{}, config.Right{}, "write"},
		"promote, where an environment asks":     {"promote", config.Commands{}, maintain, "maintain"},
		"rollback, said otherwise":               {"rollback", said, maintain, "team acme/oncall"},
		"hold, said otherwise":                   {"hold", said, maintain, "triage"},
		"resume, which is not what was said":     {"resume", said, maintain, "maintain"},
		"approve, where an environment asks for": {"approve", config.Commands{}, oncall, "team acme/oncall"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := command.Need(command.Command{Name: test.command}, test.commands, test.environment); got.String() != test.want {
				t.Errorf("it asks for %s, want %s", got, test.want)
			}
		})
	}
}

// Who may do something may do all that asks for less; no custom role maintains.
func TestMoreMayDoAllThatLessMay(t *testing.T) {
	roles := []string{"read", "triage", "write", "maintain", "admin"}
	rapid.Check(t, func(t *rapid.T) {
		p := promotion.Permission{
			Role:   rapid.OneOf(rapid.SampledFrom(roles), rapid.String()).Draw(t, "role"),
			Folded: rapid.OneOf(rapid.SampledFrom([]string{"none", "read", "write", "admin", ""}), rapid.String()).Draw(t, "folded"),
		}
		may := func(role string) bool {
			ok, _, err := command.Allowed(config.Right{Role: role}, command.Author{Login: "ana"}, p, config.Commands{}, nil)
			return ok && err == nil
		}
		for i := 1; i < len(roles); i++ {
			if may(roles[i]) && !may(roles[i-1]) {
				t.Errorf("%+v may do what %s may, and not what %s may", p, roles[i], roles[i-1])
			}
		}
		if custom := !slices.Contains(roles, p.Role); custom && p.Folded != "admin" && (may("maintain") || may("admin")) {
			t.Errorf("the custom role %+v maintains", p)
		}
		if p.Folded != "write" && p.Folded != "admin" && may("write") {
			t.Errorf("%+v writes", p)
		}
	})
}
