package diagnosis

// PushCodes returns the catalogue of pushes: first those that are not done, then those that are, then pushes to many.
func PushCodes() []Code {
	return append(append(waitingCodes(), doneCodes()...), fanoutCodes()...)
}

func waitingCodes() []Code {
	return []Code{
		{Name: "waits_for_endpoint", Seen: "accepted, and the endpoint is offline",
			Summary: "{push} waits{before} until {until} for {id}, which is offline: {why}.", Action: "Look at signalbox endpoint diagnose {id}."},
		{Name: "waits_for_first_login", Seen: "accepted, and the endpoint was never online",
			Summary: "{push} waits until {until} for {id}, which has never been online: {why}.", Action: "Look at signalbox endpoint diagnose {id}."},
		{Name: "waits_for_presence", Seen: "accepted, and the endpoint's session sent no presence",
			Summary: "{push} waits{before} until {until} because {id} is connected and sent no presence, so it gets no pushes.",
			Action:  "Let the program on the endpoint send <presence/> once it is ready (RFC 6121 section 4.2)."},
		{Name: "waits_behind", Seen: "accepted, and others go out before it",
			Summary: "{push} waits{before} behind {ahead} for {id}, which is online, and goes out after them or expires at {until}.",
			Action:  "Nothing is to be done; give it priority high if it is urgent."},
		{Name: "window_full", Seen: "accepted, and push.window pushes are on the way without a receipt",
			Summary: "{push} waits{before} until {until} because {window} pushes are on the way to {id} without a receipt, and not more may be.",
			Action:  "Look whether the agent on {id} works; its receipts free places, and signalbox endpoint disconnect {id} has the pushes sent again."},
		{Name: "session_full", Seen: "accepted, and the session's queue took no more",
			Summary: "{push} waits{before} until {until} because {id} does not take in what was sent to it before, and its connection is full.",
			Action:  "Look whether the agent on {id} hangs, and at its network."},
		{Name: "not_before", Seen: "accepted, and its time has not come",
			Summary: "{push} waits for its time, {notbefore}, before which it is not sent.", Action: "Nothing is to be done."},
		{Name: "being_sent", Seen: "accepted, and nothing holds it",
			Summary: "{push} is about to be sent to {id}, which is online.", Action: "Ask again in a moment."},
		{Name: "sent_no_receipt", Seen: "sent, and no receipt came",
			Summary: "{push} was sent{again} to {id} at {sent} and has no receipt, for which it waits until {until}.",
			Action:  "Look whether {id} still answers: it may be slow or gone without a word, and then the push is sent again when it is back."},
		{Name: "delivered_no_result", Seen: "delivered, and no result came though ack is handled",
			Summary: "{id} has {push} since {since} and has not said what came of it, for which it has until {until}.",
			Action:  "Look at the log of the agent on {id} if it should be done by now."},
	}
}

func doneCodes() []Code {
	return []Code{
		{Name: "push_sent", fine: true, Seen: "sent, and ack is none", Summary: "{push} was written to the connection of {id} at {since}, and nobody asked for a receipt.",
			Action: "Nothing is to be done."},
		{Name: "push_delivered", fine: true, Seen: "a receipt", Summary: "{push} is delivered: {id} acknowledged it at {since}.", Action: "Nothing is to be done."},
		{Name: "push_handled", fine: true, Seen: "a result with status ok", Summary: "{push} is done: {id} handled it and said so at {since}.", Action: "Nothing is to be done."},
		{Name: "handled_without_result", Seen: "a result with status ok that is too large",
			Summary: "{push} is done: {id} handled it and said so at {since}, with a result that was too large and is not kept.",
			Action:  "Let the handler on {id} answer with 64 KiB of JSON at most if its result is wanted."},
		{Name: "failed_by_handler", Seen: "a result with status failed", Summary: "{id} could not do what {push} asks, and said so at {since}{result}.",
			Action: "Look at the result and at the log of the agent on {id}, and send a new push when the reason is gone."},
		{Name: "failed_interrupted", Seen: "a result with reason interrupted", Summary: "The agent on {id} was restarted while it handled {push}, so whether it took effect is not known.",
			Action: "Find out on {id} whether it took effect, and send a new push if not."},
		{Name: "failed_no_result", Seen: "delivered, and the TTL ended without a result",
			Summary: "{id} took {push} and did not say what came of it until its time was over at {since}.",
			Action:  "Look at the log of the agent on {id}, and give such pushes a longer ttl if they take longer."},
		{Name: "expired_waiting", Seen: "the TTL ended before it was ever sent",
			Summary: "{push} expired at {since} after {lived}, in which {id} had no session that takes pushes.",
			Action:  "Look at signalbox endpoint timeline {id} for why it was away, and send a new push with a longer ttl."},
		{Name: "expired_no_receipt", Seen: "the TTL ended after it was sent, without a receipt",
			Summary: "{push} expired at {since}: it was sent{again} to {id} at {sent} and no receipt came, so whether it took effect is not known.",
			Action:  "Find out on {id} whether it took effect, and send a new push if not."},
		{Name: "expired_now_or_never", Seen: "TTL 0, and no session that takes pushes",
			Summary: "{push} was now or never (ttl 0), and {id} had no session that takes pushes at {since}.",
			Action:  "Give it a ttl above 0 if it may wait, else send it again when {id} is online."},
		{Name: "push_replaced", fine: true, Seen: "a newer push with the same collapse key",
			Summary: "{push} was replaced at {since}, before it was sent, by {by}, a newer push for {id} with the same collapse key {key}.",
			Action:  "Nothing is to be done; signalbox push explain {by} tells the rest."},
		{Name: "push_cancelled", Seen: "cancelled by the API", Summary: "{push} was cancelled by the management server at {since}, before it was sent.",
			Action: "Send a new push if it is wanted after all."},
		{Name: "rejected_unknown_endpoint", Seen: "a target that is not registered", Summary: "{push} was rejected because no endpoint {id} is registered.",
			Action: "Register it with signalbox endpoint create {id}, or correct the id, and send it again."},
		{Name: "rejected_endpoint_disabled", Seen: "a target that is disabled", Summary: "{push} was rejected because {id} is disabled.",
			Action: "Enable it with signalbox endpoint enable {id}, and send it again."},
		{Name: "rejected_queue_full", Seen: "a target with a full queue", Summary: "{push} was rejected because as much waits for {id} as may wait for one endpoint.",
			Action: "Look at signalbox endpoint diagnose {id} for why it takes nothing, or raise push.queue_count and push.queue_bytes."},
		{Name: "rejected_dropped_oldest", Seen: "a full queue, and push.queue_policy is drop_oldest",
			Summary: "{push} was dropped at {since} to make room for a newer one, because as much waited for {id} as may wait for one endpoint.",
			Action: "Look at signalbox endpoint diagnose {id} for why it takes nothing; a push of type signalbox.resync tells it to read its state anew, and push.queue_count and push.queue_bytes " +
				"say how much may wait."},
		{Name: "push_rejected", Seen: "rejected for another reason", Summary: "{push} was rejected at {since} ({reason}).", Action: "Look the reason up in REASONS.md."},
	}
}

func fanoutCodes() []Code {
	return []Code{
		{Name: "fanout_waits", Seen: "some targets are not done", Summary: "{push} is done for {good} of {targets} and waits for {open} until {until}, most for {worst}.", Action: "{todo}."},
		{Name: "fanout_failed", Seen: "all targets are done, and some not as they should", Summary: "{push} is done for {good} of {targets} and not for {bad}, most for {worst}.",
			Action: "{todo}."},
		{Name: "fanout_done", fine: true, Seen: "all targets are done", Summary: "{push} is done for all of {targets}.", Action: "Nothing is to be done."},
	}
}
