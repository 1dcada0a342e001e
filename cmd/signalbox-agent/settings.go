package main

import "github.com/spf13/cobra"

// settings collects flags that stand for keys of the configuration.
type settings struct {
	file    string // of --config
	command *cobra.Command
	values  []func(into map[string]any)
}

// newSettings adds the flags to a command.
func newSettings(c *cobra.Command) *settings {
	s := &settings{command: c}
	c.Flags().StringVar(&s.file, "config", "", "configuration file (YAML)")
	s.text("id", "id", "endpoint id")
	s.text("domain", "domain", "domain of the JID")
	s.text("secret-file", "secret_file", "file with the endpoint's secret")
	s.list("address", "addresses", "address of the server as host:port; may be repeated")
	s.text("proxy", "proxy", "HTTP proxy on the way, http://[user@]host:port, or direct")
	s.text("ca-file", "ca_file", "certificate authorities to trust (PEM)")
	s.text("state-dir", "state_dir", "directory of the journal")
	s.text("local-socket", "local_socket", "socket by which users see and end remote sessions")
	s.text("log-level", "log.level", "debug, info, warn or error")
	s.text("log-format", "log.format", "json or console")
	return s
}

func (s *settings) text(flag, key, usage string) {
	v := s.command.Flags().String(flag, "", usage)
	s.add(flag, func(m map[string]any) { m[key] = *v })
}

func (s *settings) list(flag, key, usage string) {
	v := s.command.Flags().StringArray(flag, nil, usage)
	s.add(flag, func(m map[string]any) {
		items := make([]any, len(*v))
		for i, item := range *v {
			items[i] = item
		}
		m[key] = items
	})
}

func (s *settings) add(flag string, set func(map[string]any)) {
	s.values = append(s.values, func(m map[string]any) {
		if s.command.Flags().Changed(flag) {
			set(m)
		}
	})
}

// given returns the keys whose flags were used.
func (s *settings) given() map[string]any {
	m := map[string]any{}
	for _, set := range s.values {
		set(m)
	}
	return m
}
