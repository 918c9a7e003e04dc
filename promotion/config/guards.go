package config

// What guards an environment: its failure policy, its rollbacks, windows,
// approval, and the right to command it.
//
// Rules: what a pipeline says of an environment counts instead of what the file
// says of it; overrides add windows and approval and take none away; a rollback
// merges by itself where promotions do, unless it says otherwise, and never
// where the file or an override keeps promobot from merging.

import (
	"fmt"
	"strings"
)

// setter adds a setting with where it was said; line 0 is a default.
type setter func(key, value string, line int, what string)

// settleGuards fills them. Mode and delivery are settled already.
func (f *File) settleGuards(d *decoder, l *layout, e *environmentLayout, overrides []int, s *settled, set setter) {
	env := "environments." + e.name.value + "."
	// at is where the pipeline, or else the file, says a key.
	at := func(own position, key string) string {
		if own.said() {
			return "pipelines." + l.group.value + "." + env + key
		}
		return env + key
	}
	policy, policyAt := e.onFailure(), at(e.own.onFailure.position, "on_failure")
	s.OnFailure = steps(policy)
	does := make([]string, len(s.OnFailure))
	for i := range s.OnFailure {
		does[i] = string(s.OnFailure[i].Do)
	}
	set("on_failure", strings.Join(does, ", then "), policy.line, policyAt)
	for i := range policy.value {
		key := fmt.Sprintf("[%d]", i)
		set("on_failure"+key, s.OnFailure[i].describe(), s.OnFailure[i].Line, policyAt+key)
	}
	f.settleRollback(e, overrides, s, at(e.own.rollback.position, "rollback"), set)

	window, approval := e.window(), e.approval()
	names := values(window.value)
	windowAt, windowWhat := window.position, at(e.own.window.position, "window")
	approvalAt, approvalWhat := approval.position, at(e.own.approval.position, "approval")
	s.Approval = approval.value
	for _, i := range overrides {
		o := &f.doc.overrides.value[i]
		if more := union(names, values(o.window.value)); len(more) > len(names) {
			names, windowAt, windowWhat = more, o.window.position, fmt.Sprintf("overrides[%d].window", i)
		}
		if o.approval.said() && !s.Approval {
			s.Approval = true
			approvalAt, approvalWhat = o.approval.position, fmt.Sprintf("overrides[%d].approval", i)
			if s.Deliver == ByPush && s.asked == Auto {
				d.add(o.approval.line, o.approval.column, fmt.Sprintf("%s: %s is delivered by push, so that there is no pull request to approve", approvalWhat, s.Name),
					"add deliver: pull_request to the override")
			}
		}
	}
	set("window", map[bool]string{true: "always open", false: strings.Join(names, ", ")}[len(names) == 0], windowAt.line, windowWhat)
	for _, name := range names {
		w := f.window(name).window(name)
		s.Windows = append(s.Windows, w)
		set("windows."+name, w.describe(), w.Line, "windows."+name)
	}
	set("approval", map[bool]string{true: "required", false: "not asked for"}[s.Approval], approvalAt.line, approvalWhat)
	right := e.right()
	s.Right = right.or(defaultRight)
	set("right", s.Right.String(), right.line, at(e.own.right.position, "right"))
}

// settleRollback fills the mode of rollbacks. What is observed only is never
// written, by rollbacks neither.
func (f *File) settleRollback(e *environmentLayout, overrides []int, s *settled, what string, set setter) {
	asked := prefer(e.own.rollback, e.file.rollback)
	if !asked.said() {
		s.Rollback = s.Mode
		set("rollback", "as mode", 0, "")
		return
	}
	s.Rollback = asked.value
	at := asked.position
	lower := func(m said[Mode], why string) {
		if m.said() && m.value < s.Rollback {
			s.Rollback, at, what = m.value, m.position, why
		}
	}
	for _, i := range overrides {
		lower(f.doc.overrides.value[i].mode, fmt.Sprintf("overrides[%d].mode", i))
	}
	if m := e.mode(); m.value == Observe {
		lower(m, "environments."+e.name.value+".mode")
	}
	lower(f.doc.mode, "mode")
	set("rollback", s.Rollback.String(), at.line, what)
}
