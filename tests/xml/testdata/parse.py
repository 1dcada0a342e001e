"""Parses documents with expat, with xml.etree and with xml.dom.minidom, and prints what is inside their root elements.

Reads a JSON list of documents in base64 and prints a JSON object: for each parser a list with an answer for each document. An answer has Items, the children of
the root element, and an Error if the document is refused. Of a refused document expat still tells the items that were complete before.

Only expat is asked for more than well-formedness: it refuses what XMPP restricts (RFC 6120 section 11) where it meets it.
"""
import base64
import json
import sys
from xml.dom import minidom
from xml.etree import ElementTree
from xml.parsers import expat

STREAMS = 'http://etherx.jabber.org/streams'
XMLNS = 'http://www.w3.org/2000/xmlns/'
NOT_IN_URI = ' \t\r\n"<>\\^`{|}\x7f'


def element(name, attrs):
    return {'Name': name, 'Attrs': attrs, 'Inside': []}


class Restricted(Exception):
    pass


class Expat:
    def __init__(self, data):
        self.data, self.items, self.open, self.error = data, [], [], ''
        p = self.parser = expat.ParserCreate(namespace_separator=' ')
        p.buffer_text = False
        p.StartElementHandler, p.EndElementHandler = self.start, self.end
        p.CharacterDataHandler = self.text
        p.StartCdataSectionHandler = self.section
        p.CommentHandler = p.ProcessingInstructionHandler = p.StartDoctypeDeclHandler = self.restricted
        p.XmlDeclHandler = self.declaration
        p.StartNamespaceDeclHandler = self.namespace
        try:
            p.Parse(data, True)
        except (expat.ExpatError, Restricted, LookupError) as e:
            self.error = repr(e)

    def answer(self):
        return {'Items': self.items, 'Error': self.error}

    def restricted(self, *_):
        raise Restricted('restricted')

    def declaration(self, version, encoding, _):
        if version != '1.0' or (encoding or 'utf-8').lower() != 'utf-8':
            raise Restricted('declaration')

    def namespace(self, _, uri):
        if uri and any(c in uri for c in NOT_IN_URI):
            raise Restricted('namespace name')

    def section(self):
        if len(self.open) < 2:
            raise Restricted('CDATA between stanzas')

    def start(self, name, attrs):
        ns, _, local = name.rpartition(' ')
        if ns == STREAMS and (len(self.open) > 1 or self.open and local == 'stream'):
            raise Restricted('stream inside')
        e = element('{%s}%s' % (ns, local), {'{%s}%s' % (n.rpartition(' ')[::2]): v for n, v in attrs.items()})
        if len(self.open) > 1:
            self.open[-1]['Inside'].append(e)
        self.open.append(e)

    def end(self, _):
        e = self.open.pop()
        if len(self.open) == 1:
            self.items.append(e)

    def text(self, text):
        if len(self.open) > 1:
            self.open[-1]['Inside'].append({'Text': text})
        elif text.strip(' \t\r\n') or self.data[(at := self.parser.CurrentByteIndex):at + 1] == b'&':
            raise Restricted('text between stanzas')


def braced(name):
    return name if name.startswith('{') else '{}' + name


def from_etree(e):
    node = element(braced(e.tag), {braced(n): v for n, v in e.attrib.items()})
    node['Inside'].append({'Text': e.text or ''})
    for child in e:
        node['Inside'] += [from_etree(child), {'Text': child.tail or ''}]
    return node


def from_dom(n):
    if n.nodeType in (n.TEXT_NODE, n.CDATA_SECTION_NODE):
        return {'Text': n.data}
    attrs = {'{%s}%s' % (a.namespaceURI or '', a.localName): a.value for a in n.attributes.values() if a.namespaceURI != XMLNS}
    node = element('{%s}%s' % (n.namespaceURI or '', n.localName), attrs)
    node['Inside'] = [from_dom(c) for c in n.childNodes]
    return node


def etree(data):
    return [from_etree(e) for e in ElementTree.fromstring(data)]


def dom(data):
    root = minidom.parseString(data).documentElement
    return [from_dom(c) for c in root.childNodes if c.nodeType == c.ELEMENT_NODE]


def answer(parse, data):
    try:
        return {'Items': parse(data), 'Error': ''}
    except (ElementTree.ParseError, expat.ExpatError, LookupError) as e:
        return {'Items': [], 'Error': repr(e)}


sys.setrecursionlimit(5000)
documents = [base64.b64decode(d) for d in json.load(sys.stdin)]
sys.stdout.write(json.dumps({
    'expat': [Expat(d).answer() for d in documents],
    'xml.etree': [answer(etree, d) for d in documents],
    'minidom': [answer(dom, d) for d in documents],
}))
