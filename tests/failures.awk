# Reads the output of go test -v twice (awk -f failures.awk LOG LOG): first for the names of the tests that failed, then prints what belongs to them, whatever
# ran beside them; and every data race, panic and build error.
FNR == 1 { pass++ }
pass == 1 {
	if ($1 == "---" && $2 == "FAIL:") failed[$3] = 1
	next
}
$1 == "===" { current = $3; next }
/^WARNING: DATA RACE/ { race = 1 }
race { print; if (/^==================/) race = 0; next }
/^panic:/ { died = 1 }
died || /^ *--- FAIL:|^FAIL|^# |^[^ ]+\.go:[0-9]+:[0-9]+:/ { print; next }
(current in failed) && !/^ *---|^PASS|^ok|^logger\.go/ && !/^    logger\.go/ { print }
