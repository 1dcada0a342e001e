import java.io.Writer;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;

import org.igniterealtime.smack.inttest.Configuration;
import org.igniterealtime.smack.inttest.SmackIntegrationTestFramework;
import org.igniterealtime.smack.inttest.annotations.SmackIntegrationTest;
import org.igniterealtime.smack.inttest.annotations.SpecificationReference;
import org.jivesoftware.smack.Smack;

/**
 * Runs Smack's integration test framework, configured by its own properties (sinttest.*), and writes what each test found to the file that its argument
 * names, as JUnit XML: a testsuite is a specification, and the root says which versions ran. Tests of a class that could not be set up are counted as skipped, with the reason; the framework
 * itself only logs them. It is run from source, so that it fits any version of the framework. It ends with status 0 when all tests were run, whatever they found.
 */
final class Verdicts {
    private final Map<String, List<Verdict>> bySpecification = new TreeMap<>();

    private static final class Verdict {
        final Method test;
        final String found; // failure, skipped, or null if it passed
        final String why;

        Verdict(Method test, String found, String why) {
            this.test = test;
            this.found = found;
            this.why = why;
        }
    }

    public static void main(String[] args) {
        int status = 0;
        try {
            run(Path.of(args[0]));
        } catch (Exception | Error e) { // the launcher cannot show what threads of the framework threw
            e.printStackTrace();
            status = 1;
        }
        System.exit(status); // threads of the framework live on
    }

    private static void run(Path file) throws Exception {
        var result = new SmackIntegrationTestFramework(Configuration.newConfiguration(new String[0])).run();
        var verdicts = new Verdicts();
        result.getSuccessfulTests().forEach(t -> verdicts.add(t.concreteTest.getMethod(), null, ""));
        result.getFailedTests().forEach(t -> verdicts.add(t.concreteTest.getMethod(), "failure", reason(t.failureReason)));
        result.getNotPossibleTests().forEach(t -> verdicts.add(t.concreteTest.getMethod(), "skipped", reason(t.testNotPossibleException)));
        result.getImpossibleTestClasses().forEach((c, why) -> verdicts.addAll(c, reason(why)));
        try (Writer out = Files.newBufferedWriter(file)) {
            verdicts.write(out);
        }
    }

    private void add(Method test, String found, String why) {
        var reference = test.getDeclaringClass().getAnnotation(SpecificationReference.class);
        bySpecification.computeIfAbsent(reference == null ? "" : reference.document(), s -> new ArrayList<>()).add(new Verdict(test, found, why));
    }

    private void addAll(Class<?> impossible, String why) {
        Arrays.stream(impossible.getMethods()).filter(m -> m.isAnnotationPresent(SmackIntegrationTest.class)).forEach(m -> add(m, "skipped", why));
    }

    private static String reason(Throwable t) {
        return t.getMessage() == null ? t.getClass().getName() : t.getMessage();
    }

    private void write(Writer to) throws XMLStreamException {
        XMLStreamWriter xml = XMLOutputFactory.newFactory().createXMLStreamWriter(to);
        xml.writeStartDocument();
        xml.writeStartElement("testsuites");
        xml.writeAttribute("smack", Smack.getVersion());
        xml.writeAttribute("java", System.getProperty("java.version"));
        for (var entry : bySpecification.entrySet()) {
            xml.writeStartElement("testsuite");
            xml.writeAttribute("name", entry.getKey());
            xml.writeAttribute("tests", String.valueOf(entry.getValue().size()));
            xml.writeAttribute("failures", count(entry.getValue(), "failure"));
            xml.writeAttribute("skipped", count(entry.getValue(), "skipped"));
            for (Verdict v : entry.getValue()) {
                write(xml, v);
            }
            xml.writeEndElement();
        }
        xml.writeEndElement();
        xml.close();
    }

    private static String count(List<Verdict> verdicts, String found) {
        return String.valueOf(verdicts.stream().filter(v -> found.equals(v.found)).count());
    }

    private static void write(XMLStreamWriter xml, Verdict v) throws XMLStreamException {
        xml.writeStartElement("testcase");
        xml.writeAttribute("classname", v.test.getDeclaringClass().getName());
        xml.writeAttribute("name", v.test.getName());
        if (v.found != null) {
            xml.writeStartElement(v.found);
            xml.writeAttribute("message", plain(v.why));
            xml.writeEndElement();
        }
        xml.writeEndElement();
    }

    /** plain replaces characters that XML cannot carry: reasons quote random stanzas. */
    private static String plain(String text) {
        return text.codePoints().mapToObj(c -> c == '\t' || c == '\n' || c >= 0x20 && c <= 0xd7ff || c >= 0xe000 && c <= 0xfffd || c >= 0x10000 ? Character.toString(c) : "?")
            .collect(Collectors.joining());
    }
}
