# What a task sees of its process.
echo "$0 $# $-"
pwd
ls -A
umask
nice
ulimit -a
grep -E '^(SigBlk|SigIgn|SigCgt|Cap|NoNew|Seccomp|Cpus_allowed_list)' /proc/$$/status |
	sed 's/^SigIgn:.[0-9a-f]\{8\}/SigIgn: /' # less the upper ones, with 33: the C library's own
cat /proc/$$/oom_score_adj
cut -d' ' -f6 /proc/$$/stat # the session
for n in 0 1 2 3 4 5 6 7 8 9; do
	echo "$n $(readlink /proc/$$/fd/$n) $(grep flags /proc/$$/fdinfo/$n 2>/dev/null)"
done | sed 's/\[[0-9]*\]//'
timeout 0.2 cat
echo "stdin ended with $?"
env -0 | sort -z | tr '\0' '\n'
