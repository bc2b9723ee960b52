"""What ``snn new`` writes: an installable plugin with one working component and its test."""
