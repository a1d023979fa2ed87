"""Who may ask, and how it is kept private: bearer tokens and TLS, from files that may be replaced while serving."""
