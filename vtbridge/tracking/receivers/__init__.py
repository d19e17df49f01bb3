"""Sockets: datagrams and streams in, told apart, admitted and counted; faces out."""
