"""Answers questions about documents with expat, the parser of most XMPP software.

Without argument: reads documents from stdin, each behind its length in 4 bytes, and answers each with a length in 4 bytes
and text: "R" refused, "P" accepted by expat but no XMPP stream looks like this, "A" and a dump of what is inside the root.
With the argument "names": prints two lines, the code points that may begin a name and those that may go on, as ranges.
"""
import struct
import sys
from xml.parsers import expat

NOT_IN_URI = ' \t\r\n"<>\\^`{|}\x7f'  # what software joins namespace and local name with is among these
STREAM = 'http://etherx.jabber.org/streams stream'


class Document:
    def __init__(self, data):
        self.data, self.foreign, self.depth = data, False, 0
        self.nodes = [[('', ''), [], [], []]]  # name, attributes, text, children
        p = self.parser = expat.ParserCreate(namespace_separator=' ')
        p.ordered_attributes = True
        p.StartElementHandler, p.EndElementHandler = self.start, self.end
        p.CharacterDataHandler = self.text
        p.StartNamespaceDeclHandler = self.namespace
        p.XmlDeclHandler = self.declaration
        p.StartCdataSectionHandler = self.cdata
        p.CommentHandler = p.ProcessingInstructionHandler = self.other
        p.StartDoctypeDeclHandler = self.other

    def other(self, *_):
        self.foreign = True

    def declaration(self, version, encoding, _):
        if version != '1.0' or (encoding or 'utf-8').lower() != 'utf-8':
            self.foreign = True

    def namespace(self, _, uri):
        if uri and any(c in uri for c in NOT_IN_URI):
            self.foreign = True

    def cdata(self):
        if self.depth < 2:
            self.foreign = True

    def start(self, name, attributes):
        if self.depth == 1 and name == STREAM:
            self.foreign = True
        self.depth += 1
        pairs = list(zip(attributes[::2], attributes[1::2]))
        self.nodes.append([split(name), pairs, [], []])

    def end(self, _):
        self.depth -= 1
        at = self.parser.CurrentByteIndex
        if self.depth == 0 and self.data[at:at + 2] != b'</':
            self.foreign = True  # <stream/>
        node = self.nodes.pop()
        self.nodes[-1][3].append(node)

    def text(self, text):
        if self.depth < 2:
            at = self.parser.CurrentByteIndex
            if text.strip(' \t\r\n') or self.data[at:at + 1] == b'&':
                self.foreign = True
        self.nodes[-1][2].append(text)

    def answer(self):
        try:
            self.parser.Parse(self.data, True)
        except (expat.ExpatError, LookupError):  # LookupError: an encoding that Python does not know
            return 'R'
        if self.foreign:
            return 'P'
        root = self.nodes[0][3][0]
        return 'A' + ''.join(dump(n) for n in root[3])


def split(name):
    ns, _, local = name.rpartition(' ')
    return ns, local


def quote(text):
    return text.encode().hex()


def dump(node):
    name, attributes, text, children = node
    pairs = sorted('{%s}%s=%s' % (*split(n), quote(v)) for n, v in attributes)
    inside = quote(''.join(text)) + ''.join(dump(c) for c in children)
    return '({%s}%s[%s]%s)' % (*name, ' '.join(pairs), inside)


def serve():
    while head := sys.stdin.buffer.read(4):
        data = sys.stdin.buffer.read(struct.unpack('>I', head)[0])
        answer = Document(data).answer().encode()
        sys.stdout.buffer.write(struct.pack('>I', len(answer)) + answer)
        sys.stdout.buffer.flush()


def accepted(text):
    try:
        expat.ParserCreate(namespace_separator=' ').Parse(text.encode(), True)
        return True
    except expat.ExpatError:
        return False


def names():
    for document in '<%s/>', '<a%s/>':
        points = [c for c in range(0x80, 0x10800)
                  if not 0xD800 <= c < 0xE000 and accepted(document % chr(c))]
        ranges = []
        for c in points:
            if ranges and ranges[-1][1] == c - 1:
                ranges[-1][1] = c
            else:
                ranges.append([c, c])
        print(' '.join('%x-%x' % (a, b) for a, b in ranges))


names() if sys.argv[1:] == ['names'] else serve()
