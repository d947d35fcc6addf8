# Both outputs in turn, bytes that are no text, and an end without a newline.
i=0
while [ $i -lt 300 ]; do
	echo "out $i"
	echo "err $i" >&2
	i=$((i + 1))
done
head -c 300000 /dev/zero | tr '\0' x
printf '\n\377\376 end'
