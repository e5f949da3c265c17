"""The front end: who may connect, what is said over a connection, in which order it is answered."""
