package pushes

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"slices"

	"signalbox/internal/push"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/failure"
	"signalbox/internal/store/query"
)

// maxCounted bounds what is counted to find the rarest of several tags.
const maxCounted = 10_000

const (
	queryCountTag     = "SELECT count(*) FROM (SELECT 1 FROM tagged WHERE domain = ? AND tag = ? LIMIT ?)"
	queryCountMembers = "SELECT count(*) FROM (SELECT 1 FROM tagged g WHERE g.domain = ?1 AND g.tag = ?2 AND g.ep > ?3" + otherTags + " LIMIT ?5)"
	queryMemberIDs    = "SELECT e.id, e.num FROM tagged g CROSS JOIN endpoint e ON e.num = g.ep WHERE g.domain = ?1 AND g.tag = ?2 AND g.ep > ?3" + otherTags + " ORDER BY g.ep LIMIT ?5"
)

// tagsOf returns how the schema writes what a selector asks for.
func tagsOf(s push.Selector) []string {
	tags := make([]string, 0, 1+len(s.Labels))
	if s.Group != "" {
		tags = append(tags, "g"+s.Group)
	}
	for name, value := range s.Labels {
		tags = append(tags, fmt.Sprintf("l%d:%s%s", len(name), name, value))
	}
	return tags
}

// RarestFirst returns the tags of a selector, of which there is one at least, so that few endpoints have the first one: those are looked at one by one.
func (r *Reader) RarestFirst(ctx context.Context, domain string, s push.Selector) ([]string, error) {
	tags := tagsOf(s)
	if len(tags) < 2 {
		return tags, nil
	}
	counts := make(map[string]int64, len(tags))
	for _, tag := range tags {
		n, err := query.One(ctx, r.countTag, 1, number, failure.ErrCorrupt, domain, tag, int64(maxCounted))
		if err != nil {
			return nil, err
		}
		counts[tag] = n
	}
	slices.SortFunc(tags, func(a, b string) int { return cmp.Or(cmp.Compare(counts[a], counts[b]), cmp.Compare(a, b)) })
	return tags, nil
}

func number(row []driver.Value) (int64, error) { return direct.Int(row[0]), nil }

// CountMembers counts the endpoints of a domain that match, limit at most.
func (r *Reader) CountMembers(ctx context.Context, domain string, s push.Selector, limit int) (int, error) {
	tags, err := r.RarestFirst(ctx, domain, s)
	if err != nil {
		return 0, err
	}
	second, others, err := splitTags(tags)
	if err != nil {
		return 0, err
	}
	n, err := query.One(ctx, r.countMembers, 1, number, failure.ErrCorrupt, domain, tags[0], 0, others, limit, second)
	return int(n), err
}

// MembersFrom returns the ids of up to limit endpoints that match, behind a number, and the number of the last one.
func (r *Reader) MembersFrom(ctx context.Context, domain string, s push.Selector, after int64, limit int) (ids []string, last int64, err error) {
	tags, err := r.RarestFirst(ctx, domain, s)
	if err != nil {
		return nil, 0, err
	}
	second, others, err := splitTags(tags)
	if err != nil {
		return nil, 0, err
	}
	last = after
	err = query.Each(ctx, r.listMembers, 2, func(row []driver.Value) error {
		ids, last = append(ids, direct.Text(row[0])), direct.Int(row[1])
		return nil
	}, domain, tags[0], after, others, limit, second)
	return ids, last, err
}
