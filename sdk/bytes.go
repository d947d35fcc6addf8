package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/dustin/go-humanize"
)

// Bytes is a size in bytes. As a parameter it is text such as 64MiB, 10GB or
// 512, or a whole number; as an output it is a number.
type Bytes int64

// String writes whole binary multiples with their unit, all else in bytes.
func (b Bytes) String() string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	n, unit := b, 0
	for n != 0 && n%1024 == 0 && unit < len(units)-1 {
		n, unit = n/1024, unit+1
	}
	return strconv.FormatInt(int64(n), 10) + units[unit]
}

// UnmarshalJSON takes text with a unit, or a whole number.
func (b *Bytes) UnmarshalJSON(raw []byte) error {
	if len(raw) == 0 || raw[0] != '"' {
		f, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || f < 0 || f > 1<<53 || f != math.Trunc(f) {
			return errors.New("a size is text such as 64MiB or a whole number of bytes")
		}
		*b = Bytes(f)
		return nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n > math.MaxInt64 {
		return fmt.Errorf("%q is no size such as 64MiB", text)
	}
	*b = Bytes(n)
	return nil
}
