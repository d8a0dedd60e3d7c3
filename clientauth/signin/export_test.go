package signin

// StateFile is where a source keeps its session.
func StateFile(s *Source) string { return string(s.file) }
