"""A management server that was written for Tigase's HTTP API: it makes a user, changes its password, sends it a message and runs commands."""
import base64
import json
import sys
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

url, key, domain = sys.argv[1:]
admin = "Basic " + base64.b64encode(b"admin@" + domain.encode() + b":password").decode()


def call(method, path, body=None, media="application/xml"):
    request = urllib.request.Request(
        "%s/rest/%s?api-key=%s" % (url, path, key), method=method, data=body and body.encode(),
        headers={"Content-Type": media, "Authorization": admin})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def command(node, fields):
    body = json.dumps({"command": {"node": "http://jabber.org/protocol/admin#" + node, "fields": [{"var": k, "value": v} for k, v in fields.items()]}})
    status, text = call("POST", "adhoc/sess-man@" + domain, body, "application/json")
    assert status == 200, text
    return {field["var"]: field.get("value") for field in json.loads(text)["command"]["fields"]}


user = "pc-9@" + domain
assert call("GET", "user/" + user)[0] == 404
status, text = call("PUT", "user/" + user, "<user><password>s3cret</password><email>x@example.com</email></user>")
assert status == 200 and ET.fromstring(text).findtext("jid") == user, text
assert call("PUT", "user/" + user, "<user><password>s3cret</password></user>")[0] == 409
status, text = call("POST", "user/" + user, json.dumps({"user": {"password": "n3w-secret"}}), "application/json")
assert status == 200 and json.loads(text)["user"]["jid"] == user, text
status, text = call("GET", "users/")
users = ET.fromstring(text)
assert [item.text for item in users.find("items")] == [user] and users.findtext("count") == "1", text

message = '<message xmlns="jabber:client" type="chat" to="%s/resource-1"><body>%s</body></message>' % (user, escape("work & more"))
assert call("POST", "stream/", message) == (200, "")
status, text = call("POST", "stream/", '<iq type="get" id="v" to="%s"><query xmlns="jabber:iq:version"/></iq>' % domain)
iq = ET.fromstring(text)
assert status == 200 and iq.get("type") == "result" and iq.find("{jabber:iq:version}query") is not None, text
status, text = call("POST", "stream/", '<iq type="get" id="v" to="%s/x"><query xmlns="jabber:iq:version"/></iq>' % user)
assert status == 200 and ET.fromstring(text).get("type") == "error", text

nodes = [item.findtext("node") for item in ET.fromstring(call("GET", "adhoc/sess-man@" + domain)[1])]
assert "http://jabber.org/protocol/admin#end-user-session" in nodes, nodes
assert command("get-active-users", {"domainjid": domain, "max_items": "25"}) == {"Users: 0": None}
assert command("end-user-session", {"accountjids": [user]}) == {}
assert command("get-registered-users-num", {"domainjid": domain})["registeredusersnum"] == "1"
