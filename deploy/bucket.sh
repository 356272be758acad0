#!/bin/sh
# Makes BUCKET and the account that owns it, unless they are there; the account can do nothing outside its bucket.
set -eu

versitygw admin list-users | grep -qw "$OWNER_ACCESS_KEY_ID" ||
  versitygw admin create-user --access "$OWNER_ACCESS_KEY_ID" --secret "$OWNER_SECRET_ACCESS_KEY" --role user
versitygw admin list-buckets | grep -qw "$BUCKET" ||
  versitygw admin create-bucket --bucket "$BUCKET" --owner "$OWNER_ACCESS_KEY_ID"
