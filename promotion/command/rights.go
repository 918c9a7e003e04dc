package command

// Who may say what. Rules:
//
//   - A role counts as what GitHub folds it into, unless it is one of GitHub's own
//     and folds into just that: so a custom role counts as read, write or admin,
//     and never as maintain.
//   - What is not known is not allowed.
//   - A bot counts only where the pipeline file names it, and needs the right, too.

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

// ranks are the roles, the least first, with what GitHub folds each into ("Get
// repository permissions for a user", REST API documentation).
var ranks = []struct{ role, folded string }{
	{"read", "read"}, {"triage", "read"}, {"write", "write"}, {"maintain", "write"}, {"admin", "admin"},
}

// none is below all roles.
const none = -1

// Author is who wrote a comment.
type Author struct {
	Login string
	Bot   bool // a bot or an App
}

// Need is the right that a command asks for: what the pipeline file says of the
// command, else read for those that only tell, else the environment's, else write
// ([config.Commands.Asks]). environment is the [config.Environment]'s; the zero
// right stands for none. A command about several environments needs the right of
// each.
func Need(c Command, commands config.Commands, environment config.Right) config.Right {
	if _, said := commands.Rights[c.Name]; !said && !c.Changes() {
		return config.Right{Role: "read"}
	}
	return commands.Asks(c.Name, environment)
}

// Allowed says whether an author may give a command that asks for need, and when
// not, why, as a sentence for people. inTeam says whether the author is in the
// team that need names; it is asked only where one is named. An error means that
// this could not be found out now: it is neither yes nor no. A refusal
// (*promotion.RefusedError), that promobot may not see the team, is a no.
func Allowed(need config.Right, who Author, permission promotion.Permission, commands config.Commands, inTeam func() (bool, error)) (bool, string, error) {
	if who.Bot && !slices.ContainsFunc(commands.Bots, func(b string) bool { return strings.EqualFold(b, who.Login) }) {
		return false, "bots are not listened to unless `commands.bots` in " + config.Path + " names them", nil
	}
	if need.Team != "" {
		member, err := inTeam()
		var refused *promotion.RefusedError
		switch {
		case errors.As(err, &refused):
			return false, fmt.Sprintf("it asks for the team %s, of which promobot cannot see who is in it: %s", need.Team, refused.Reason), nil
		case err != nil:
			return false, "", fmt.Errorf("asking who is in the team %s: %w", need.Team, err)
		case !member:
			return false, fmt.Sprintf("it asks for someone in the team %s", need.Team), nil
		}
		return true, "", nil
	}
	has, asked := rank(permission), roleRank(need.Role)
	if asked == none || has < asked {
		return false, fmt.Sprintf("it asks for the role %s in this repository; %s has %s", need, who.Login, roleName(permission)), nil
	}
	return true, "", nil
}

// rank is how much a permission is; none where it is none that is known.
func rank(p promotion.Permission) int {
	if r := roleRank(p.Role); r != none && ranks[r].folded == p.Folded {
		return r
	}
	return roleRank(p.Folded)
}

func roleRank(role string) int {
	for i, r := range ranks {
		if r.role == role {
			return i
		}
	}
	return none
}

// roleName is a permission for people.
func roleName(p promotion.Permission) string {
	switch r := rank(p); {
	case r == none:
		return "none"
	case p.Role == "" || p.Role == ranks[r].role:
		return ranks[r].role
	default:
		return fmt.Sprintf("%s, which counts as %s", visible(cut(p.Role, 60)), ranks[r].role)
	}
}
