package remote

import (
	"testing"
	"testing/synctest"
)

// TestAnswersFollowWhatIsShown: whoever has the answer to a task finds the session as the task left it.
func TestAnswersFollowWhatIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := make(chan struct{})
		q := queue{workers: &workers{}, after: func() { <-show }}
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			if err := q.do(t.Context(), func() error { return nil }); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		if closed(answered) {
			t.Error("a task is answered before others can see what it did")
		}
		close(show)
		synctest.Wait()
		if !closed(answered) {
			t.Error("a task is not answered")
		}
	})
}
