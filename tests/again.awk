# Reads the tests that gotestsum ran again (a line PACKAGE.TEST: N runs, N failures each) and the output of go test -v (awk -f again.awk REPORT LOG), once all passed in
# the end: prints which failed at first. Fails where a package failed and none of its tests did, as those that leave goroutines behind do: that is no matter of chance.
FILENAME == ARGV[1] {
	name = $1
	sub(/:$/, "", name)
	if (name !~ /\/[^.\/]*\.[^\/]*\//) print "FAILED ONCE: " name " passed when it ran again alone"
	sub(/\.(Test|Fuzz|Example).*/, "", name)
	again[name] = 1
	next
}
/^FAIL\t/ && !($2 in again) { print; bad = 1 }
END { exit bad }
