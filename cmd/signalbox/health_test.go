package main

import "testing"

func TestNearest(t *testing.T) {
	for _, tt := range []struct {
		listening []string
		want      string
	}{
		{[]string{":8080"}, "127.0.0.1:8080"},
		{[]string{"0.0.0.0:8080"}, "127.0.0.1:8080"},
		{[]string{"[::]:8080"}, "127.0.0.1:8080"},
		{[]string{"10.0.5.2:8080", "127.0.0.1:8081"}, "127.0.0.1:8081"},
		{[]string{"10.0.5.2:8080", "[::1]:8081"}, "[::1]:8081"},
		{[]string{"10.0.5.2:8080", "localhost:8081"}, "localhost:8081"},
		{[]string{"10.0.5.2:8080", "10.0.5.3:8080"}, "10.0.5.2:8080"},
	} {
		if got := nearest(tt.listening); got != tt.want {
			t.Errorf("nearest(%v) = %s, want %s", tt.listening, got, tt.want)
		}
	}
}
