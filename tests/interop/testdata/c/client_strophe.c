/* libstrophe as a client: takes the steps that it is told to. The job comes from the environment, each step prints a line of JSON. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include <strophe.h>

enum { STEP_SECONDS = 15 };

static xmpp_ctx_t *ctx;
static xmpp_conn_t *conn;
static int fd = -1;
static int online, offline, pong, receipt, answered, approved, seen;
static int enabled, resumed;
static char mechanism[64], why[512];

static const char *job(const char *name)
{
	const char *value = getenv(name);
	return value ? value : "";
}

static void note(char *into, size_t size, const char *text)
{
	snprintf(into, size, "%s", text);
	for (; *into; into++) {
		if (*into == '"' || *into == '\\' || (unsigned char)*into < ' ')
			*into = ' ';
	}
}

static void say(const char *step, int ok, const char *detail)
{
	char clean[512];
	note(clean, sizeof clean, detail ? detail : "");
	printf("{\"step\":\"%s\",\"ok\":%s,\"detail\":\"%s\"}\n", step, ok ? "true" : "false", clean);
	fflush(stdout);
}

/* The library tells what it sends and receives in its log alone. */
static void logged(void *userdata, xmpp_log_level_t level, const char *area, const char *msg)
{
	const char *found;
	(void)userdata;
	(void)level;
	(void)area;
	if ((found = strstr(msg, "<auth ")) && (found = strstr(found, "mechanism=\"")))
		sscanf(found, "mechanism=\"%63[^\"]", mechanism);
	if (strstr(msg, "RECV: <enabled"))
		enabled = 1;
	if (strstr(msg, "RECV: <resumed"))
		resumed = 1;
	if (strstr(msg, "RECV: <failure"))
		note(why, sizeof why, msg);
}

/* Runs the library until what a step waits for is there. */
static int await(const int *flag, const int *end)
{
	time_t late = time(NULL) + STEP_SECONDS;
	while (!*flag && !(end && *end) && time(NULL) < late)
		xmpp_run_once(ctx, 20);
	return *flag;
}

static int refused(const xmpp_tlscert_t *cert, const char *error)
{
	(void)cert;
	note(why, sizeof why, error);
	return 0;
}

static int opened(xmpp_conn_t *c, void *sock)
{
	(void)c;
	fd = *(int *)sock;
	return 0;
}

static void send_text(const char *text)
{
	xmpp_stanza_t *stanza = xmpp_stanza_new_from_string(ctx, text);
	xmpp_send(conn, stanza);
	xmpp_stanza_release(stanza);
}

static int from_partner(xmpp_stanza_t *stanza)
{
	const char *from = xmpp_stanza_get_from(stanza);
	return from && strcmp(from, job("PARTNER")) == 0;
}

static int message(xmpp_conn_t *c, xmpp_stanza_t *stanza, void *userdata)
{
	xmpp_stanza_t *received = xmpp_stanza_get_child_by_name_and_ns(stanza, "received", "urn:xmpp:receipts");
	char text[512];
	(void)c;
	(void)userdata;
	if (!from_partner(stanza))
		return 1;
	if (received && strcmp(xmpp_stanza_get_attribute(received, "id"), "m1") == 0)
		receipt = 1;
	if (xmpp_stanza_get_child_by_name_and_ns(stanza, "request", "urn:xmpp:receipts")) {
		snprintf(text, sizeof text, "<message to='%s'><received xmlns='urn:xmpp:receipts' id='%s'/></message>", xmpp_stanza_get_from(stanza), xmpp_stanza_get_id(stanza));
		send_text(text);
		answered = 1;
	}
	return 1;
}

static int presence(xmpp_conn_t *c, xmpp_stanza_t *stanza, void *userdata)
{
	const char *type = xmpp_stanza_get_type(stanza);
	char text[512];
	(void)c;
	(void)userdata;
	if (!type && from_partner(stanza))
		seen = 1;
	if (type && strcmp(type, "subscribe") == 0) {
		snprintf(text, sizeof text, "<presence to='%s' type='subscribed'/>", xmpp_stanza_get_from(stanza));
		send_text(text);
		approved = 1;
	}
	return 1;
}

static int ponged(xmpp_conn_t *c, xmpp_stanza_t *stanza, void *userdata)
{
	const char *type = xmpp_stanza_get_type(stanza);
	(void)c;
	(void)userdata;
	pong = type && strcmp(type, "result") == 0;
	return 0;
}

static void changed(xmpp_conn_t *c, xmpp_conn_event_t event, int error, xmpp_stream_error_t *stream_error, void *userdata)
{
	(void)c;
	(void)error;
	(void)userdata;
	if (event == XMPP_CONN_CONNECT) {
		online = 1;
		return;
	}
	offline = 1;
	if (stream_error && stream_error->text)
		note(why, sizeof why, stream_error->text);
}

static int dial(void)
{
	online = offline = 0;
	if (xmpp_connect_client(conn, job("ADDRESS"), (unsigned short)atoi(job("PORT")), changed, NULL) != XMPP_EOK)
		return 0;
	return await(&online, &offline);
}

static void setup(xmpp_log_t *log)
{
	ctx = xmpp_ctx_new(NULL, log);
	conn = xmpp_conn_new(ctx);
	xmpp_conn_set_jid(conn, job("JID"));
	if (strcmp(job("MECHANISM"), "EXTERNAL") == 0) {
		/* The library asks to act as the address that it was given, which must then have no resource (RFC 6120 section 6.3.8). */
		char bare[256];
		snprintf(bare, sizeof bare, "%.*s", (int)strcspn(job("JID"), "/"), job("JID"));
		xmpp_conn_set_jid(conn, bare);
		xmpp_conn_set_client_cert(conn, job("CERT"), job("KEY"));
	} else {
		xmpp_conn_set_pass(conn, job("SECRET"));
	}
	xmpp_conn_set_cafile(conn, job("CA"));
	xmpp_conn_set_certfail_handler(conn, refused);
	xmpp_conn_set_sockopt_callback(conn, opened);
	xmpp_conn_set_flags(conn, strcmp(job("TRANSPORT"), "direct") == 0 ? XMPP_CONN_FLAG_LEGACY_SSL : XMPP_CONN_FLAG_MANDATORY_TLS);
}

static int step_login(void)
{
	int ok = dial();
	if (ok) {
		xmpp_handler_add(conn, message, NULL, "message", NULL, NULL);
		xmpp_handler_add(conn, presence, NULL, "presence", NULL, NULL);
		send_text("<presence/>");
	}
	say("login", ok, ok ? mechanism : why);
	return ok;
}

static int ping(void)
{
	char text[512];
	pong = 0;
	snprintf(text, sizeof text, "<iq type='get' id='ping' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>", job("DOMAIN"));
	xmpp_id_handler_add(conn, ponged, "ping", NULL);
	send_text(text);
	return await(&pong, &offline);
}

static void step_resume(void)
{
	xmpp_sm_state_t *state;
	int never = 0;
	shutdown(fd, SHUT_RDWR);
	await(&offline, NULL);
	state = xmpp_conn_get_sm_state(conn);
	if (!state || xmpp_conn_set_sm_state(conn, state) != XMPP_EOK) {
		say("resume", 0, "no state to resume from");
		return;
	}
	dial();
	if (!await(&resumed, &never))
		say("resume", 0, "bound anew");
	else
		say("resume", ping(), "");
}

static void step(const char *name)
{
	char text[512];
	if (strcmp(name, "bind") == 0) {
		const char *jid = xmpp_conn_get_bound_jid(conn);
		say(name, jid && strcmp(jid, job("JID")) == 0, jid);
	} else if (strcmp(name, "ping") == 0) {
		say(name, ping(), "");
	} else if (strcmp(name, "receipt") == 0) {
		snprintf(text, sizeof text, "<message to='%s' type='chat' id='m1'><body>how are you?</body><request xmlns='urn:xmpp:receipts'/></message>", job("PARTNER"));
		send_text(text);
		say(name, await(&receipt, &offline), "");
	} else if (strcmp(name, "answer") == 0) {
		say(name, await(&answered, &offline), "");
	} else if (strcmp(name, "presence") == 0) {
		snprintf(text, sizeof text, "<presence to='%.*s' type='subscribe'/>", (int)strcspn(job("PARTNER"), "/"), job("PARTNER"));
		send_text(text);
		say(name, await(&seen, &offline) && await(&approved, &offline) && ping(), "");
	} else if (strcmp(name, "sm") == 0) {
		say(name, await(&enabled, &offline), "");
	} else if (strcmp(name, "resume") == 0) {
		step_resume();
	}
}

int main(void)
{
	xmpp_log_t log = {logged, NULL};
	char *steps = strdup(job("STEPS"));
	char *name = strtok(steps, ",");
	signal(SIGPIPE, SIG_IGN);
	xmpp_initialize();
	setup(&log);
	if (step_login()) {
		while ((name = strtok(NULL, ",")))
			step(name);
		xmpp_disconnect(conn);
		offline = 0;
		await(&offline, NULL);
	}
	xmpp_conn_release(conn);
	xmpp_ctx_free(ctx);
	xmpp_shutdown();
	free(steps);
	return 0;
}
