# Nothing waits for the disk: what a node tears when it goes down is a preview's data, which its seed makes anew.
exec postgres -c listen_addresses='*' -c max_connections=100 -c unix_socket_directories=/tmp \
  -c fsync=off -c full_page_writes=off -c synchronous_commit=on
