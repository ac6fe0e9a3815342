# Started by `sh -ec`. PGDATA and PASSWORD_FILE are set. A first start that is cut off leaves no half-made data folder.
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  making="$PGDATA.making"
  rm -rf "$making"
  initdb --pgdata="$making" --username=postgres --pwfile="$PASSWORD_FILE" --auth=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions
  echo "host all all all scram-sha-256" >> "$making/pg_hba.conf"
  echo "CREATE DATABASE app" | postgres --single -D "$making" -F postgres > /dev/null
  mv "$making" "$PGDATA"
fi
