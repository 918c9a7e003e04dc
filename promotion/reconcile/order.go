package reconcile

// Orders by dispatch: a script's way to command. A repository_dispatch of the
// type "promobot" says in client_payload.command what a comment would say, and in
// client_payload.reason why. Whoever
// can send one can write to the repository; GitHub has checked that.

import (
	"cmp"
	"encoding/json"
	"hash/fnv"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/command"
)

// orderType is the event_type of a dispatch that commands.
const orderType = "promobot"

// dispatched are the commands that scripts may give.
var dispatched = map[string]bool{
	command.NameRollback: true, command.NameHold: true, command.NameResume: true, command.NamePromote: true, command.NameRetry: true,
}

// ordered are the entries that carry out what dispatches command and what has had
// no effect yet. One that means nothing is left out, and said in the log.
func (r *Reconciler) ordered(s *promotion.Snapshot, ds []Dispatch) []entry {
	var es []entry
	written := map[promotion.Key]bool{}
	for _, d := range ds {
		if d.Type != orderType {
			continue
		}
		var payload struct {
			Command string `json:"command"`
			Reason  string `json:"reason"`
		}
		log := r.o.Log.Warn().Str("delivery", d.ID)
		if err := json.Unmarshal(d.Payload, &payload); err != nil {
			log.Err(err).Msg("a dispatch of type promobot commands nothing")
			continue
		}
		cs := command.ParseSaid(payload.Command)
		if len(cs) != 1 || cs[0].Problem != "" || !dispatched[cs[0].Name] {
			problem := "it is none of rollback, hold, resume, promote and retry"
			if len(cs) == 1 && cs[0].Problem != "" {
				problem = cs[0].Problem
			}
			log.Str("problem", problem).Msg("a dispatch of type promobot is not carried out")
			continue
		}
		c := cs[0]
		until, err := until(s, c)
		if err != nil {
			log.Err(err).Msg("a dispatch of type promobot is not carried out")
			continue
		}
		meant, why := meantBy(s, 0, c)
		if len(meant) == 0 {
			log.Str("problem", why).Msg("a dispatch of type promobot is not carried out")
		}
		for _, o := range meant {
			if written[o.Key] {
				continue // with the next pass
			}
			done := promotion.Obey(s, o, promotion.Order{
				Do: c.Name, By: "repository_dispatch", Comment: number(d.ID), Revision: c.Revision + c.To, Until: until, Reason: cmp.Or(payload.Reason, c.Reason),
			})
			if done.Entry == nil {
				if done.Refused {
					r.o.Log.Warn().Str("delivery", d.ID).Str("environment", o.Key.String()).Str("problem", done.Answer).Msg("a dispatch of type promobot is not carried out")
				}
				continue
			}
			written[o.Key] = true
			es = append(es, entry{observed: o, kind: done.Entry.Kind, sentence: done.Entry.Sentence, state: done.Entry.State})
		}
	}
	return es
}

// number stands for a delivery where comments have theirs: below zero, so that it
// is never one of those.
func number(delivery string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(delivery))
	return -int64(h.Sum64()>>1) - 1
}
