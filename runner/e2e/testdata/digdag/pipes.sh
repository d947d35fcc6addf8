seq 200000 | outrider exec --on-orphan stop -- cat | head -1
echo "${PIPESTATUS[*]}"
echo produced | outrider exec --on-orphan stop -- sh -c 'cat; sleep 0.3; echo still there'
outrider exec --on-orphan stop -- sh -c 'echo one; exec >&-; sleep 0.3; echo two >two' | head -1
echo "${PIPESTATUS[*]}"
cat two
