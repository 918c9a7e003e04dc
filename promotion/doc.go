// Package promotion holds the words of promobot, the definitions, and the one
// decision: what to do next in every environment of a repository. It is pure:
// no I/O, no clock, no randomness; facts come in as a [Snapshot] and decisions
// go out with their reasons as data.
package promotion
