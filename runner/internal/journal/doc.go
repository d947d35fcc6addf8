// Package journal keeps what a run said: the full log in one compressed file of
// limited size, and its last lines in memory. It knows folders and runs' names,
// nothing of ledgers, plugins or terminals, and it masks no secrets: what comes
// in here is already redacted.
//
// A file is STATE/logs/RUN.log.zst, 0600 in a folder of 0700. It is a sequence of
// whole zstd frames (`zstdcat` reads it), each with a checksum and each holding
// whole entries. A frame is written when 128 KiB have come together, and at the
// latest [flushEvery] after its first entry. So a file whose writer was killed
// ends between two frames, or in a torn one that readers leave out; a crash of
// the machine may cost more, as nothing here calls fsync.
//
// An entry is one line:
//
//	2026-11-22T04:36:01.123Z info two\nlines of text
//	TIME                     LEVEL TEXT
//
// TIME is UTC with milliseconds. LEVEL is trace, debug, info, warn or error, or,
// for what a command printed, stdout, stderr or - (not known which). TEXT is bytes
// as they came, but \n stands for a newline and \\ for a backslash. A text that
// ends in a single backslash goes on in the next entry of that level: it was
// longer than 64 KiB, or the command had not ended its line yet.
//
// Lines that got lost are told in the file by an entry of level warn, "12 lines
// lost: no space left on device", where they would stand. So is its end when it
// has grown to its limit: "log cut at 64 MiB: what was said later is not kept".
package journal
