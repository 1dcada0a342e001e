package direct

// Preparer prepares many statements on a connection and keeps the first error.
type Preparer struct {
	Conn *Conn
	Err  error
}

// Prepare returns a statement, or nil once something has failed.
func (p *Preparer) Prepare(query string) *Stmt {
	if p.Err != nil {
		return nil
	}
	var s *Stmt
	s, p.Err = p.Conn.Prepare(query)
	return s
}
