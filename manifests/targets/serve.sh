exec postgres -c listen_addresses='*' -c max_connections=100 -c unix_socket_directories=/tmp
