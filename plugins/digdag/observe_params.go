package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

const (
	// mostParams is the longest parameters of an attempt that are reported, in bytes.
	mostParams = 16 << 10
	// mostValue is the longest value among them that is reported as it is.
	mostValue = 64
)

// shortParams are an attempt's parameters as they are reported: what it was started
// with, of long values a digest, which tells that one is another. What the server itself
// puts there is left out, and so is what is too much.
func shortParams(params json.RawMessage) json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal(params, &all) != nil {
		return nil
	}
	short := map[string]json.RawMessage{}
	size := 0
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if ofServer(key) {
			continue
		}
		value := all[key]
		if len(value) > mostValue {
			sum := sha256.Sum256(value)
			value = json.RawMessage(`"sha256:` + hex.EncodeToString(sum[:8]) + `"`)
		}
		if size += len(key) + len(value) + len(`"":,`); size > mostParams {
			break
		}
		short[key] = value
	}
	raw, err := json.Marshal(short)
	if err != nil {
		return nil
	}
	return raw
}

// ofServer reports whether it is the server that sets a parameter (Digdag's
// AttemptBuilder), anew for each session.
func ofServer(key string) bool {
	for _, begin := range []string{"last_session_", "next_session_", "last_executed_session_"} {
		if strings.HasPrefix(key, begin) {
			return true
		}
	}
	return false
}
