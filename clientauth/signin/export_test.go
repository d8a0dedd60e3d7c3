package signin

// StateFile is where a source keeps its session.
func StateFile(s *Source) string { return s.states.path }
