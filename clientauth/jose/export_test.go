package jose

// Sizes that the tests need to be exact about.
const (
	MinRSABits = minRSABits
	MaxRSABits = maxRSABits
)
