package config

// Which steps of a failure policy can be taken at all. One that cannot is
// refused, since whoever wrote it counts on it.

import (
	"fmt"
	"slices"
)

// lacking are the kinds that are not among others.
func lacking(kinds, others []FailureKind) []FailureKind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k FailureKind) bool { return slices.Contains(others, k) })
}

// checkSteps refuses steps that can never be taken, whatever is verified.
func checkSteps(d *decoder, at string, p said[[]stepSpec]) bool {
	before := len(d.problems) + d.more
	if n := len(p.value); n == 0 || n > maxSteps {
		d.add(p.line, p.column, fmt.Sprintf("%s has %d steps", at, n), fmt.Sprintf("write 1 to %d; the default is halt", maxSteps))
		return false
	}
	var halted []FailureKind
	line := 0
	for i := range p.value {
		s := &p.value[i]
		where := fmt.Sprintf("%s[%d]", at, i)
		switch kinds := s.kinds(); {
		case len(kinds) == 0:
			d.add(s.when.line, s.when.column, fmt.Sprintf("%s.%s.when is empty, so that it is never taken", where, s.do), "name push, merge, verification or timeout, or leave it out")
		case s.do == Rollback && len(lacking(kinds, []FailureKind{VerificationFailed, TimedOut})) > 0:
			d.add(s.when.line, s.when.column, where+".rollback.when: where the push or the merge failed nothing has landed that could be rolled back", "write verification, timeout or both")
		case len(lacking(kinds, halted)) == 0:
			d.add(s.line, s.column, fmt.Sprintf("%s: %s is never reached: halt on line %d ends the policy before it", where, s.do, line), "put halt last, or remove what is behind it")
		case s.do == Halt:
			halted, line = append(halted, kinds...), s.line
		}
	}
	return len(d.problems)+d.more == before
}

// onFailure is the pipeline's own policy where it has one.
func (e *environmentLayout) onFailure() said[[]stepSpec] {
	return prefer(e.own.onFailure, e.file.onFailure)
}

// checkPolicy refuses steps for failures that cannot be here, because nothing,
// or not everything, is verified.
func (l *layout) checkPolicy(d *decoder) {
	for _, e := range l.environments {
		policy, v, name := e.onFailure(), e.verify(), e.name.value
		if e.managed().value {
			continue
		}
		possible := []FailureKind{PushFailed, MergeFailed}
		why, remedy := "nothing is verified there", "say under verify what must hold, as verify: {checks: ci}, or remove the step"
		if v.asks() {
			possible = append(possible, VerificationFailed)
			why, remedy = fmt.Sprintf("its verification comes to %s when its time is over (line %d)", v.onTimeout.value, v.onTimeout.line), "add verification to when, or remove on_timeout"
			if v.onTimeout.or(TimeoutFails) == TimeoutFails {
				possible = append(possible, TimedOut)
			}
		}
		for i := range policy.value {
			if s := &policy.value[i]; len(lacking(s.kinds(), possible)) == len(s.kinds()) {
				d.once(s.position, fmt.Sprintf("on_failure: %s is never taken in %s: %s", s.do, name, why), remedy)
			}
		}
	}
}
