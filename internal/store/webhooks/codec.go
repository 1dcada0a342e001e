package webhooks

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/internal/events/webhook"
	"signalbox/internal/store/direct"
)

// definition is what a receiver asks for, as it is stored.
type definition struct {
	URL         string        `json:"url"`
	Description string        `json:"description,omitempty"`
	Types       []string      `json:"types,omitempty"`
	Insecure    bool          `json:"insecure,omitempty"`
	Keys        []webhook.Key `json:"keys,omitempty"`
	Created     time.Time     `json:"created"`
	Updated     time.Time     `json:"updated"`
}

func encode(w *webhook.Webhook) (what, state string, err error) {
	d, err := json.Marshal(definition{w.URL, w.Description, w.Types, w.Insecure, w.Keys, w.Created, w.Updated})
	if err != nil {
		return "", "", fmt.Errorf("encode webhook: %w", err)
	}
	s, err := json.Marshal(w.State)
	if err != nil {
		return "", "", fmt.Errorf("encode webhook: %w", err)
	}
	return string(d), string(s), nil
}

// webhookOf reads the columns of selectWebhook.
func webhookOf(row []driver.Value) (webhook.Webhook, error) {
	var d definition
	w := webhook.Webhook{ID: direct.Text(row[0]), Enabled: direct.Int(row[1]) != 0}
	if err := json.Unmarshal([]byte(direct.Text(row[3])), &d); err != nil {
		return w, fmt.Errorf("read webhook %s: %w", w.ID, err)
	}
	if err := json.Unmarshal([]byte(direct.Text(row[4])), &w.State); err != nil {
		return w, fmt.Errorf("read state of webhook %s: %w", w.ID, err)
	}
	w.Cursor = direct.Int(row[2])
	w.URL, w.Description, w.Types, w.Insecure, w.Keys, w.Created, w.Updated = d.URL, d.Description, d.Types, d.Insecure, d.Keys, d.Created, d.Updated
	return w, nil
}

// deliveryOf reads the columns of queryDeliveries.
func deliveryOf(row []driver.Value) (webhook.Delivery, error) {
	d := webhook.Delivery{
		ID: direct.Int(row[0]), At: direct.Time(direct.Int(row[1])), Seq: direct.Int(row[2]), Event: direct.Text(row[3]), Type: direct.Text(row[4]), Endpoint: direct.Text(row[5]),
		Attempt: int(direct.Int(row[6])), Status: int(direct.Int(row[7])), Took: time.Duration(direct.Int(row[8])) * time.Microsecond, Next: direct.Time(direct.Int(row[9])),
	}
	if fault := direct.Text(row[10]); fault != "" {
		if err := json.Unmarshal([]byte(fault), &d.Fault); err != nil {
			return d, fmt.Errorf("read delivery %d: %w", d.ID, err)
		}
	}
	return d, nil
}

// asideOf reads the columns of queryAside.
func asideOf(row []driver.Value) (webhook.Aside, error) {
	return webhook.Aside{
		Seq: direct.Int(row[0]), Endpoint: direct.Text(row[1]), Tries: int(direct.Int(row[2])), Since: direct.Time(direct.Int(row[3])), Next: direct.Time(direct.Int(row[4])), GivenUp: direct.Int(row[5]) != 0,
	}, nil
}
