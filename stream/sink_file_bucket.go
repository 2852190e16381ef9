package stream

import (
	"fmt"
	"strings"
	"time"
)

// DefaultBucketFormat is an hour, as in Flink.
const DefaultBucketFormat = "yyyy-MM-dd--HH"

// BucketAssigner names the folder, below that of a FileSink, which a record
// belongs to. The zero value is the sink's folder itself, Flink's
// BasePathBucketAssigner.
type BucketAssigner[T any] struct {
	make func() func(r Rec[T], now time.Time) string // one for each subtask
	err  error
}

// BucketBy asks f for the folder, "" for the sink's own; subtasks call it at the
// same time. now is the processing time.
func BucketBy[T any](f func(r Rec[T], now time.Time) string) BucketAssigner[T] {
	return BucketAssigner[T]{make: func() func(Rec[T], time.Time) string { return f }}
}

// DateTimeBuckets are folders by the processing time, Flink's
// DateTimeBucketAssigner: format is a pattern of Java's DateTimeFormatter (""
// is DefaultBucketFormat) of y, M, d, D, H, h, m, s, S, a, E, text in single
// quotes and other signs; zone nil is UTC.
func DateTimeBuckets[T any](format string, zone *time.Location) BucketAssigner[T] {
	p, err := parseDatePattern(format, zone)
	return BucketAssigner[T]{err: err, make: func() func(Rec[T], time.Time) string {
		c := &dateCache{pattern: p}
		return func(_ Rec[T], now time.Time) string { return c.of(now.UnixMilli()) }
	}}
}

// EventTimeBuckets is DateTimeBuckets by the records' event time; those without
// one are in the folder "no-time".
func EventTimeBuckets[T any](format string, zone *time.Location) BucketAssigner[T] {
	p, err := parseDatePattern(format, zone)
	return BucketAssigner[T]{err: err, make: func() func(Rec[T], time.Time) string {
		c := &dateCache{pattern: p}
		return func(r Rec[T], _ time.Time) string {
			if r.TS == NoTimestamp {
				return "no-time"
			}
			return c.of(r.TS)
		}
	}}
}

// dateCache keeps the last name: records of one second often follow each other.
type dateCache struct {
	pattern datePattern
	span    int64 // of ms that have one name
	name    string
	known   bool
}

func (c *dateCache) of(ms int64) string {
	span := ms
	if !c.pattern.millis {
		span = (ms - (ms%1000+1000)%1000) / 1000
	}
	if !c.known || span != c.span {
		c.span, c.known, c.name = span, true, c.pattern.format(time.UnixMilli(ms))
	}
	return c.name
}

// datePattern is a parsed pattern.
type datePattern struct {
	pieces []func(dst []byte, t time.Time) []byte
	zone   *time.Location
	millis bool // names differ within a second
}

func (p *datePattern) format(t time.Time) string {
	t = t.In(p.zone)
	var out []byte
	for _, f := range p.pieces {
		out = f(out, t)
	}
	return string(out)
}

func parseDatePattern(format string, zone *time.Location) (datePattern, error) {
	p := datePattern{zone: zone}
	if zone == nil {
		p.zone = time.UTC
	}
	if format == "" {
		format = DefaultBucketFormat
	}
	for rest := format; rest != ""; {
		n, err := p.piece(rest)
		if err != nil {
			return p, fmt.Errorf("date pattern %q: %w", format, err)
		}
		rest = rest[n:]
	}
	return p, checkBucket(p.format(time.Unix(0, 0)))
}

// piece parses what the pattern begins with and returns its length.
func (p *datePattern) piece(s string) (int, error) {
	c := s[0]
	switch {
	case c == '\'':
		end := strings.IndexByte(s[1:], '\'')
		if end < 0 {
			return 0, fmt.Errorf("a quote is not closed")
		}
		text := s[1 : 1+end]
		if text == "" {
			text = "'"
		}
		p.text(text)
		return end + 2, nil
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		n := len(s) - len(strings.TrimLeft(s, string(c)))
		f := dateField(c, n)
		if f == nil {
			return 0, fmt.Errorf("%q is no part of a date here: use yyyy MM dd HH mm ss SSS and their like, and put text between quotes", s[:n])
		}
		p.pieces = append(p.pieces, f)
		p.millis = p.millis || c == 'S'
		return n, nil
	}
	p.text(s[:1])
	return 1, nil
}

func (p *datePattern) text(s string) {
	p.pieces = append(p.pieces, func(dst []byte, _ time.Time) []byte { return append(dst, s...) })
}

// dateField is n times the letter c, or nil.
func dateField(c byte, n int) func([]byte, time.Time) []byte {
	number := func(of func(time.Time) int) func([]byte, time.Time) []byte {
		return func(dst []byte, t time.Time) []byte { return fmt.Appendf(dst, "%0*d", n, of(t)) }
	}
	layout := func(l string) func([]byte, time.Time) []byte {
		return func(dst []byte, t time.Time) []byte { return t.AppendFormat(dst, l) }
	}
	switch {
	case (c == 'y' || c == 'u') && n == 2:
		return layout("06")
	case c == 'y' || c == 'u':
		return number(time.Time.Year)
	case c == 'M' && n == 3:
		return layout("Jan")
	case c == 'M' && n == 4:
		return layout("January")
	case c == 'M' && n < 3:
		return number(func(t time.Time) int { return int(t.Month()) })
	case c == 'd' && n < 3:
		return number(time.Time.Day)
	case c == 'D' && n < 4:
		return number(time.Time.YearDay)
	case c == 'H' && n < 3:
		return number(time.Time.Hour)
	case c == 'h' && n < 3:
		return number(func(t time.Time) int { return (t.Hour()+11)%12 + 1 })
	case c == 'm' && n < 3:
		return number(time.Time.Minute)
	case c == 's' && n < 3:
		return number(time.Time.Second)
	case c == 'S' && n < 10:
		return func(dst []byte, t time.Time) []byte {
			return append(dst, fmt.Sprintf("%09d", t.Nanosecond())[:n]...)
		}
	case c == 'a' && n == 1:
		return layout("PM")
	case c == 'E' && n < 4:
		return layout("Mon")
	case c == 'E' && n == 4:
		return layout("Monday")
	}
	return nil
}
