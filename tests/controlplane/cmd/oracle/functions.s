// Empty: with it, the compiler accepts the declaration of a function whose body is elsewhere (functions.go).
