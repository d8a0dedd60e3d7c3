package app

// CloseListener takes the port away under a running server.
func (s *Server) CloseListener() error { return s.listener.Close() }
