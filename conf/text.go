package conf

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// splitQuoted cuts s at sep outside of single or double quotes. A quote opens at the begin of s and behind one of the
// bytes in opens, so that "it's" is plain text. Quotes stay on the parts; a doubled quote inside quotes is an escaped one,
// as Flink writes it.
func splitQuoted(s string, sep byte, opens string) ([]string, error) {
	var parts []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case (ch == '"' || ch == '\'') && quoteMayOpen(s[:i], opens):
			end := closingQuote(s, i)
			if end < 0 {
				return nil, errors.New("a quotation mark is not closed")
			}
			i = end
		case ch == sep:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:]), nil
}

// quoteMayOpen tells whether a quotation mark behind before opens a quotation.
func quoteMayOpen(before, opens string) bool {
	before = strings.TrimRight(before, " \t")
	return before == "" || strings.IndexByte(opens, before[len(before)-1]) >= 0
}

// closingQuote returns the index of the mark that closes the one at open, -1 without one.
func closingQuote(s string, open int) int {
	for i := open + 1; i < len(s); i++ {
		if s[i] != s[open] {
			continue
		}
		if i+1 < len(s) && s[i+1] == s[open] {
			i++
			continue
		}
		return i
	}
	return -1
}

// unquote removes quotes that enclose all of s.
func unquote(s string) string {
	if len(s) < 2 || (s[0] != '"' && s[0] != '\'') || closingQuote(s, 0) != len(s)-1 {
		return s
	}
	q := s[:1]
	return strings.ReplaceAll(s[1:len(s)-1], q+q, q)
}

// quoteIfNeeded quotes s where a parser would cut or trim it. first is set for the first part of a value, where an opening
// bracket would be taken for the YAML form.
func quoteIfNeeded(s, special string, first bool) string {
	plain := s != "" && !strings.ContainsAny(s, special+"\"'") && strings.TrimSpace(s) == s
	if plain && (!first || (s[0] != '[' && s[0] != '{')) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// parseFlowList reads "[a, b]"; ok is false when s is not of this form.
func parseFlowList(s string) (list []string, ok bool, err error) {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "[") || !strings.HasSuffix(s, "]") {
		return nil, false, nil
	}
	var node yaml.Node
	if yaml.Unmarshal([]byte(s), &node) != nil || len(node.Content) != 1 {
		return nil, false, errForm
	}
	list = []string{}
	for _, n := range node.Content[0].Content {
		if n.Kind != yaml.ScalarNode {
			return nil, false, errForm
		}
		list = append(list, n.Value)
	}
	return list, true, nil
}

// parseFlowMap reads "{k: v}"; ok is false when s is not of this form.
func parseFlowMap(s string) (m map[string]string, ok bool, err error) {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "{") || !strings.HasSuffix(s, "}") {
		return nil, false, nil
	}
	m = map[string]string{}
	if yaml.Unmarshal([]byte(s), &m) != nil {
		return nil, false, errForm
	}
	return m, true, nil
}

// parseISODuration reads the subset of ISO-8601 that Java's Duration has: days, hours, minutes, seconds with a fraction.
func parseISODuration(s string) (time.Duration, error) {
	rest := strings.ToUpper(s)[1:]
	date, clock, hasClock := strings.Cut(rest, "T")
	if rest == "" || (hasClock && clock == "") {
		return 0, errForm
	}
	total, err := addISO(0, date, "D")
	if err != nil {
		return 0, err
	}
	if !hasClock {
		return total, nil
	}
	return addISO(total, clock, "HMS")
}

var isoUnits = map[byte]time.Duration{'D': 24 * time.Hour, 'H': time.Hour, 'M': time.Minute, 'S': time.Second}

// addISO adds numbers with the designators of order, each at most once and in this order.
func addISO(total time.Duration, s, order string) (time.Duration, error) {
	for s != "" {
		i := strings.IndexAny(s, "DHMS")
		if i <= 0 {
			return 0, errForm
		}
		at := strings.IndexByte(order, s[i])
		if at < 0 || strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
			return 0, errForm
		}
		order = order[at+1:]
		part, err := isoPart(s[:i], s[i])
		if err != nil {
			return 0, err
		}
		if total > math.MaxInt64-part {
			total, part = math.MaxInt64, 0
		}
		total += part
		s = s[i+1:]
	}
	return total, nil
}

func isoPart(number string, designator byte) (time.Duration, error) {
	whole, frac, hasFrac := strings.Cut(number, ".")
	unit := isoUnits[designator]
	n, err := strconv.ParseUint(whole, 10, 63)
	if errors.Is(err, strconv.ErrRange) || (err == nil && n > uint64(math.MaxInt64/unit)) {
		return math.MaxInt64, nil
	}
	if err != nil || (hasFrac && (designator != 'S' || frac == "" || len(frac) > 9)) {
		return 0, errForm
	}
	d := time.Duration(n) * unit
	if !hasFrac {
		return d, nil
	}
	nanos, err := strconv.ParseUint((frac + "000000000")[:9], 10, 63)
	if err != nil {
		return 0, errForm
	}
	if d > math.MaxInt64-time.Duration(nanos) {
		return math.MaxInt64, nil
	}
	return d + time.Duration(nanos), nil
}
