// Package digdagtest runs .dig files in tests: on a real Digdag server where it
// finds one, else on its double, a Go program with the same REST answers that
// runs tasks as a real server does (same argv, folder, environment, pipes,
// states, kills and deliveries).
//
// A real one is found by $DIGDAG_CLASSPATH or $DIGDAG_JAR (with java), or as
// `digdag` on PATH. $OUTRIDER_TEST_DIGDAG=real demands it, =double forbids it.
// The package's own suite passes on both: that is what proves the double. What
// the double does not know it refuses by name.
//
// Here live the server's life (Start, Kill9, Restart, Stop) and a small client
// for tests. The double itself is under internal, its program under cmd. Nothing
// here may be imported by what users run.
package digdagtest
