package history

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// Sample is one success: when it began and how long it took, in milliseconds.
type Sample struct {
	Start int64 // of its creation, as Unix milliseconds
	Total int32 // from its creation
	Work  int32 // from its first task's start, 0 where that is not known
	// Hour of the week that it was for, in the workflow's zone: 0 is Sunday at 00h.
	Hour uint8
}

// Samples are in the order of their starts.
type Samples []Sample

// milliseconds is at least 1, so that 0 can mean unknown, and at most 24 days.
func milliseconds(d time.Duration) int32 {
	return int32(min(max(d.Milliseconds(), 1), math.MaxInt32))
}

// hourOfWeek is the bucket of a local time.
func hourOfWeek(t time.Time) uint8 { return uint8(int(t.Weekday())*24 + t.Hour()) }

// with returns the samples with one more, of which the newest are kept. The same one
// twice is one.
func (s Samples) with(one Sample, most int) Samples {
	at := sort.Search(len(s), func(i int) bool { return s[i].Start > one.Start })
	for i := at - 1; i >= 0 && s[i].Start == one.Start; i-- {
		if s[i].Total == one.Total {
			return s
		}
	}
	if at == 0 && len(s) >= most {
		return s
	}
	return last(slices.Insert(slices.Clip(slices.Clone(s)), at, one), most)
}

func last[S ~[]E, E any](s S, most int) S {
	return s[max(0, len(s)-most):]
}

// durations of those that f wants, by a clock.
func (s Samples) durations(clock threshold.Clock, f func(Sample) bool) []time.Duration {
	all := make([]time.Duration, 0, len(s))
	for _, one := range s {
		ms := one.Total
		if clock == threshold.Started {
			ms = one.Work
		}
		if ms > 0 && f(one) {
			all = append(all, time.Duration(ms)*time.Millisecond)
		}
	}
	return all
}

// Packed are samples as they are kept: a sample takes some ten bytes, and what is known
// of workflows is mostly that.
type Packed string

// packedVersion is the first byte of their text.
const packedVersion = 1

// Pack packs the samples.
func (s Samples) Pack() Packed {
	var raw []byte
	before := int64(0)
	for _, one := range s {
		raw = binary.AppendVarint(raw, one.Start-before)
		raw = binary.AppendUvarint(raw, uint64(one.Total))
		raw = binary.AppendUvarint(raw, uint64(one.Work))
		raw = append(raw, one.Hour)
		before = one.Start
	}
	return Packed(raw)
}

// Samples unpacks them.
func (p Packed) Samples() Samples {
	all := make(Samples, 0, len(p)/8)
	_ = each([]byte(p), func(one Sample) { all = append(all, one) }) // what is kept is whole
	return all
}

// each calls do for every sample that is packed in raw.
func each(raw []byte, do func(Sample)) error {
	start := int64(0)
	for len(raw) > 0 {
		delta, a := binary.Varint(raw)
		total, b := binary.Uvarint(raw[max(a, 0):])
		work, c := binary.Uvarint(raw[max(a, 0)+max(b, 0):])
		end := a + b + c
		if a <= 0 || b <= 0 || c <= 0 || end >= len(raw) || total > math.MaxInt32 || work > math.MaxInt32 {
			return errors.New("unpack durations: they end in the middle")
		}
		start += delta
		do(Sample{start, int32(total), int32(work), raw[end]})
		raw = raw[end+1:]
	}
	return nil
}

// MarshalText is the version and the samples.
func (p Packed) MarshalText() ([]byte, error) {
	return base64.RawStdEncoding.AppendEncode(nil, append([]byte{packedVersion}, p...)), nil
}

// UnmarshalText refuses what is not whole.
func (p *Packed) UnmarshalText(text []byte) error {
	raw, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("unpack durations: %w", err)
	}
	if len(raw) == 0 || raw[0] != packedVersion {
		return errors.New("unpack durations: they were packed by another version")
	}
	if err := each(raw[1:], func(Sample) {}); err != nil {
		return err
	}
	*p = Packed(raw[1:])
	return nil
}
