package diagnosis

// serverCodes are reasons on this server that hold for every endpoint.
func serverCodes() []Code {
	return []Code{
		{Name: "server_certificate", Step: TCP, Seen: "our certificate is not valid, so 443 and 5222 are closed",
			Summary: "Nobody can connect, because this server keeps 443 and 5222 closed until its certificate is valid: {cause}.",
			Action:  "Put a valid bundle into certs.dir, or set this server's clock; the ports open by themselves then."},
		{Name: "server_draining", Step: Stream, Seen: "somebody drains this server, and the endpoint has no session",
			Summary: "{id} has no session because this server sends its endpoints away since {at} and lets none log in.",
			Action:  "Wait until this server is started again, or end the drain with signalbox drain --undo."},
		{Name: "disk_full", Step: Event, Seen: "the store does not take writes",
			Summary: "This server cannot write to its disk, so pushes are refused and events are late: {cause}.",
			Action:  "Free space on the file system of data_dir; everything goes on by itself then."},
		{Name: "strangers_refused", Seen: "recent refusals from addresses where no endpoint was ever seen",
			Summary: "Connections from {count} where no endpoint was ever seen were refused, the newest from {address} as {cause}.",
			Action:  "Look whether one of these addresses is the endpoint's: signalbox doctor and GET /v1/doctor list what was refused."},
	}
}

// managementCodes are reasons why the management server is not told.
func managementCodes() []Code {
	return []Code{
		{Name: "management_not_resolved", Step: Event, Seen: "the name of the management server has no address",
			Summary: "The management server is not told of {id}, because its name {host} cannot be resolved from here{when}.",
			Action:  "Add {host} to DNS, or set events.address (ITSM_WEB_IP) to its address."},
		{Name: "management_unreachable", Step: Event, Seen: "no connection to the management server, or none with TLS",
			Summary: "The management server is not told of {id}, because {host} cannot be reached from here ({cause}){when}.",
			Action:  "Check that {host} runs and speaks HTTPS on its port, and that the firewall lets this server connect to it."},
		{Name: "management_certificate", Step: Event, Seen: "the management server's certificate is not accepted here",
			Summary: "The management server is not told of {id}, because the certificate of {host} is not accepted here ({cause}){when}.",
			Action:  "Give {host} a certificate that this machine trusts, or put its authority into the file events.ca_file."},
		{Name: "management_refuses", Step: Event, Seen: "the management server answers with a status of 400 to 499, or with a redirect",
			Summary: "The management server is not told of {id}, because {host} refuses events ({cause}){when}.",
			Action:  "Compare events.path and the secret of events.secret_file with what {host} expects, and look in its log why it refuses them."},
		{Name: "management_fails", Step: Event, Seen: "the management server answers with a status of 429 or 500 to 599, not in time, or not at all",
			Summary: "The management server is not told of {id}, because {host} fails to take events ({cause}){when}.",
			Action:  "Look at the log of {host}; events are kept and sent again until it takes them."},
		{Name: "event_backlog", Step: Event, Seen: "events wait for longer than 15 seconds to be taken by the management server, which takes others",
			Summary: "The management server learns of {id} late, because up to {count} wait for {host}, the oldest since {since}.",
			Action:  "Look why {host} takes events so slowly; what it shows is as old as that."},
		{Name: "events_set_aside", Step: Event, Seen: "the management server refuses events of the endpoint and takes those of others",
			Summary: "The management server is not told of {id}, because {host} refuses {aside} while it takes others.",
			Action:  "See with signalbox webhook deliveries management --failed which they are and why; they are tried again, and what follows of their endpoints waits for them."},
	}
}
