package command

// Rights: by the role that someone has in the repository, or by a team. Custom
// roles count as what GitHub folds them into, and never as maintain.

import (
	"fmt"
	"slices"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

// roles from the least to the most ("Repository roles for an organization",
// GitHub Docs).
var roles = []string{"none", "read", "triage", "write", "maintain", "admin"}

// Need is what a command about an environment asks for: what the pipeline file
// says of the command and of the environment, the higher of two roles. Commands
// that change nothing ask for being able to read.
func Need(c Command, commands config.Commands, environment config.Right) []config.Right {
	if c.Reads {
		return []config.Right{{Role: "read"}}
	}
	own, said := commands.Rights[c.Name]
	switch {
	case said && environment != (config.Right{}):
		return []config.Right{own, environment}
	case said:
		return []config.Right{own}
	case environment != (config.Right{}):
		return []config.Right{environment}
	}
	return []config.Right{{Role: "write"}}
}

// Has says whether a role is enough.
func Has(p promotion.Permission, need string) bool {
	have := p.Role
	if !slices.Contains(roles, have) { // a custom role
		have = p.Folded
	}
	return slices.Index(roles, have) >= slices.Index(roles, need) && slices.Contains(roles, need)
}

// Denied is what is answered to someone who may not.
func Denied(need config.Right) string {
	if need.Team != "" {
		return fmt.Sprintf("that asks for a member of %s", need.Team)
	}
	return fmt.Sprintf("that asks for the role %s in this repository", need.Role)
}
